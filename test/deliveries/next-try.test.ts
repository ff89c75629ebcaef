import { describe, expect, test } from "vitest";
import { DeliveryState } from "../../gen/faceverification/v1/delivery_admin_service_pb.ts";
import { nextTry, PATIENCE_MS, type ReceiverAnswer } from "../../src/deliveries/next-try.ts";
import { LONGEST_RETRY_AFTER_MS, retryAfterMs } from "../../src/deliveries/retry-after.ts";
import type { Delivery, EndpointHealth } from "../../src/ledger/delivery-ledger.ts";

const NOW = Date.UTC(2026, 0, 1);
const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000];
const UP: EndpointHealth = { failures: 0, resumeAt: 0, stoppedAt: undefined };
const status = (code: number, retryAfter?: string): ReceiverAnswer => ({ status: code, retryAfter });
const REFUSED: ReceiverAnswer = { failure: "ECONNREFUSED", sent: false };
const TIMEOUT: ReceiverAnswer = { failure: "timeout", sent: true };

function next(
  answer: ReceiverAnswer,
  {
    random = 0,
    health = UP,
    now = NOW,
    ...delivery
  }: Partial<Delivery> & { random?: number; health?: EndpointHealth; now?: number } = {},
) {
  const given = { attempts: 0, queuedAt: NOW, replay: false, ...delivery };
  return nextTry(given, health, answer, { now, random: () => random });
}

test.each([200, 204, 299])("a %i ends the delivery, and clears the endpoint's failures", (code) => {
  const health = { failures: 4, resumeAt: NOW + 1, stoppedAt: undefined };
  expect(next(status(code), { health, attempts: 2 })).toEqual({
    outcome: "delivered",
    delivery: {
      state: DeliveryState.DELIVERED,
      attempts: 3,
      dueAt: NOW,
      triedAt: NOW,
      result: String(code),
      replay: false,
    },
    health: UP,
    doubtful: false,
  });
});

test("410 stops the endpoint and leaves the delivery waiting, also after three days", () => {
  const health = { failures: 2, resumeAt: 5, stoppedAt: undefined };
  expect(next(status(410), { health, queuedAt: NOW - PATIENCE_MS })).toEqual({
    outcome: "stopped",
    delivery: {
      state: DeliveryState.WAITING,
      attempts: 1,
      dueAt: NOW,
      triedAt: NOW,
      result: "410",
      replay: false,
    },
    health: { failures: 2, resumeAt: 5, stoppedAt: NOW },
    doubtful: false,
  });
});

describe("whose failure it is", () => {
  const endpoints = { failures: 1, resumeAt: NOW + 5 * SECOND, stoppedAt: undefined };
  test.each<[string, ReceiverAnswer, EndpointHealth | undefined, boolean]>([
    ["no connection", REFUSED, endpoints, false],
    ["429", status(429), endpoints, false],
    ["no answer in time", TIMEOUT, endpoints, true],
    ["500", status(500), endpoints, true],
    ["503", status(503), endpoints, true],
    ["599", status(599), endpoints, true],
    ["400", status(400), undefined, false],
    ["404", status(404), undefined, false],
    ["409", status(409), undefined, false],
    ["499", status(499), undefined, false],
    ["a redirect", status(302), undefined, false],
    ["300", status(300), undefined, false],
    ["199", status(199), undefined, false],
  ])("%s", (_what, answer, health, doubtful) => {
    expect(next(answer)).toMatchObject({ outcome: "retry", health, doubtful });
  });

  test("a failure does not restart an endpoint that has been stopped meanwhile, nor does a success", () => {
    const health = { failures: 0, resumeAt: 0, stoppedAt: NOW - 1 };
    expect(next(REFUSED, { health }).health?.stoppedAt).toBe(NOW - 1);
    expect(next(status(200), { health }).health?.stoppedAt).toBe(NOW - 1);
  });

  test.each([status(200), status(410), status(500), status(429), REFUSED, TIMEOUT])(
    "a replay says nothing about the endpoint: %j",
    (answer) => {
      const said = next(answer, { replay: true });
      expect(said).toMatchObject({ health: undefined, doubtful: false, delivery: { replay: true } });
      expect(said.outcome).toBe("status" in answer && answer.status === 200 ? "delivered" : "retry");
    },
  );

  test("a replay waits for its own gap, whatever the endpoint's", () => {
    const replayed = next(REFUSED, { replay: true, attempts: 3 });
    expect(replayed.delivery.dueAt).toBe(NOW + 10 * MINUTE);
  });
});

describe("gaps", () => {
  const GAPS = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, HOUR, HOUR];
  test.each(GAPS.map((gap, i) => [i + 1, gap] as const))("after failure %i: %i ms", (failure, gap) => {
    const attempts = failure - 1;
    const health = { failures: failure - 1, resumeAt: 0, stoppedAt: undefined };
    const least = next(status(500), { attempts, health });
    expect([least.delivery.dueAt, least.health?.resumeAt]).toEqual([NOW + gap, NOW + gap]);
    expect(least.health?.failures).toBe(failure);
    const most = next(status(500), { attempts, health, random: 0.5 });
    expect(most.delivery.dueAt).toBe(NOW + gap * 0.95);
    expect(most.health?.resumeAt).toBe(NOW + gap * 1.05);
    expect(most.delivery).toMatchObject({ attempts: failure, triedAt: NOW, result: "500" });
  });

  test("a delivery that could not be sent waits no longer than its endpoint", () => {
    const late = next(REFUSED, { attempts: 5, random: 0.5 });
    expect(late.delivery.dueAt).toBe(NOW + 5.25 * SECOND);
    expect(next(status(500), { attempts: 5 }).delivery.dueAt).toBe(NOW + HOUR);
  });

  test.each([status(500), status(400), REFUSED])(
    "what failed in one round is due in the next: %j",
    (answer) => {
      for (const random of [0, 0.3, 0.999]) {
        const health = { failures: 3, resumeAt: 0, stoppedAt: undefined };
        const { delivery, health: after } = next(answer, { attempts: 3, health, random });
        expect(delivery.dueAt).toBeLessThanOrEqual(after?.resumeAt ?? Number.POSITIVE_INFINITY);
      }
    },
  );
});

describe("Retry-After", () => {
  test.each<[string | undefined, number]>([
    [undefined, 0],
    ["", 0],
    ["soon", 0],
    ["-5", 0],
    ["1.5", 0],
    ["120", 120 * SECOND],
    [" 7 ", 7 * SECOND],
    ["86401", LONGEST_RETRY_AFTER_MS],
    ["999999999999", LONGEST_RETRY_AFTER_MS],
    ["Thu, 01 Jan 2026 00:10:00 GMT", 10 * MINUTE],
    ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
    ["Thu, 01 Jan 2027 00:00:00 GMT", LONGEST_RETRY_AFTER_MS],
    ["no date GMT", 0],
    ["2026-01-01T00:10:00Z", 0],
  ])("%j is %i ms", (header, ms) => {
    expect(retryAfterMs(header, NOW)).toBe(ms);
  });

  test("neither delivery nor endpoint is tried before, and a longer gap stands", () => {
    const said = next(status(503, "3600"), { random: 0.5 });
    expect([said.delivery.dueAt, said.health?.resumeAt]).toEqual([NOW + HOUR, NOW + HOUR]);
    const short = next(status(503, "1"));
    expect([short.delivery.dueAt, short.health?.resumeAt]).toEqual([NOW + 5 * SECOND, NOW + 5 * SECOND]);
    expect(next(status(400, "3600"))).toMatchObject({ delivery: { dueAt: NOW + HOUR }, health: undefined });
  });
});

describe("three days", () => {
  test("the last try is at the end of the three days; if it fails the delivery is parked", () => {
    const queuedAt = NOW - PATIENCE_MS + MINUTE;
    const last = next(status(500), { attempts: 9, queuedAt });
    expect(last).toMatchObject({ outcome: "retry", delivery: { dueAt: NOW + MINUTE } });
    const parked = next(status(500), { attempts: 9, queuedAt: NOW - PATIENCE_MS });
    expect(parked).toMatchObject({
      outcome: "parked",
      delivery: { state: DeliveryState.PARKED, attempts: 10, dueAt: NOW, triedAt: NOW, result: "500" },
      health: { failures: 1 },
      doubtful: true,
    });
    expect(next(REFUSED, { queuedAt: NOW - PATIENCE_MS })).toMatchObject({
      outcome: "parked",
      doubtful: false,
    });
    expect(next(status(400), { queuedAt: NOW - PATIENCE_MS + 1 }).outcome).toBe("retry");
  });

  test("Retry-After may go beyond them", () => {
    const said = next(status(429, "3600"), { queuedAt: NOW - PATIENCE_MS + MINUTE });
    expect(said).toMatchObject({ outcome: "retry", delivery: { dueAt: NOW + HOUR } });
  });

  test("a delivery that is delivered late is delivered", () => {
    expect(next(status(200), { queuedAt: NOW - 2 * PATIENCE_MS }).outcome).toBe("delivered");
  });
});
