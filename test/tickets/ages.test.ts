import { describe, expect, test } from "vitest";
import { deriveTimings } from "../../src/config/ticket-timings.ts";
import { UpstreamError } from "../../src/errors.ts";
import { EMPTY_STATE, type TicketState } from "../../src/tickets/protocol/state.ts";
import { createRig, MINUTE } from "./rig.ts";

const never = new AbortController().signal;
const HOUR = 60 * MINUTE;

describe("a store's clock that was set back", () => {
  test("a pair committed in the future is due at once, and only once", async () => {
    const rig = createRig();
    let { coordinator } = rig.started();
    await rig.run(MINUTE);
    rig.store.jump(-3 * HOUR);
    await rig.run(7_000);
    expect(rig.upstream.tokenCalls).toBe(2);
    // Restarts every 19 minutes once kept a pair young for ever.
    for (let i = 0; i < 6; i++) {
      await rig.run(19 * MINUTE);
      await coordinator.stop();
      ({ coordinator } = rig.started());
      await rig.run(2_000);
      expect(rig.upstream.latestAgeMs).toBeLessThan(21 * MINUTE);
    }
    expect(rig.upstream.tokenCalls).toBeLessThanOrEqual(9);
  });

  test("a new process takes a pair of unknown age for middle-aged while none can replace it", async () => {
    const rig = createRig();
    const { coordinator } = rig.started();
    await rig.run(MINUTE);
    await coordinator.stop();
    rig.client.fetchAccessToken = () => Promise.reject(new UpstreamError("access_token", "not_sent"));
    rig.store.jump(-3 * HOUR);
    const late = rig.started();
    await rig.run(10_000);
    const { hardLimitInMs, ageMs, ready } = late.coordinator.operator.status();
    expect(ready).toBe(true);
    expect(ageMs! / MINUTE).toBeCloseTo(20, 0);
    expect(hardLimitInMs! / MINUTE).toBeCloseTo(39, 0);
  });

  test("a clock set back by less than the rotation floor causes no rotation", async () => {
    const rig = createRig();
    rig.started();
    await rig.run(1_000);
    rig.store.jump(-10_000);
    await rig.run(MINUTE);
    expect(rig.upstream.tokenCalls).toBe(1);
  });

  test("a token staged in the future is not continued: a new one is fetched", async () => {
    const rig = createRig();
    const real = rig.client.fetchSignTicket;
    rig.client.fetchSignTicket = () => new Promise(() => undefined);
    const { life } = rig.started();
    await rig.run(1_000);
    life.crash();
    rig.client.fetchSignTicket = real;
    rig.store.jump(-3 * HOUR);
    const { coordinator } = rig.started();
    await rig.run(MINUTE);
    expect(coordinator.tickets.readiness().ready).toBe(true);
    expect(rig.upstream.tokenCalls).toBe(2);
  });
});

describe("a doubt that stands", () => {
  /** A pair that is dead, while the vendor's token endpoint cannot be reached. */
  async function doubtful(failure: () => Promise<never>) {
    const rig = createRig();
    const replica = rig.started();
    await rig.run(5 * MINUTE);
    const real = rig.client.fetchAccessToken;
    rig.client.fetchAccessToken = failure;
    return { rig, ...replica, mend: () => Object.assign(rig.client, { fetchAccessToken: real }) };
  }
  const unreachable = () => Promise.reject(new UpstreamError("access_token", "not_sent"));

  test("after half an overlap in doubt, attempts are at most ten seconds apart", async () => {
    const { rig, coordinator, refreshes } = await doubtful(unreachable);
    rig.upstream.revoke();
    void coordinator.tickets.renewed(coordinator.tickets.current(), "400103", never);
    await rig.run(2 * MINUTE);
    const before = refreshes.length;
    await rig.run(5 * MINUTE);
    const tries = refreshes.length - before;
    expect(tries).toBeGreaterThanOrEqual(30);
    expect(tries).toBeLessThan(65);
  });

  test("a process is not ready once the doubt is older than an overlap, and ready again with the new pair", async () => {
    const { rig, coordinator, mend } = await doubtful(unreachable);
    const { tickets } = coordinator;
    void tickets.renewed(tickets.current(), "400103", never);
    await rig.run(45_000);
    expect(tickets.readiness().ready).toBe(true);
    await rig.run(20_000);
    expect(tickets.readiness()).toEqual({
      ready: false,
      reason: "the ticket pair has been in doubt for longer than it can be trusted",
    });
    mend();
    await rig.run(15_000);
    expect(tickets.readiness().ready).toBe(true);
  });

  test("a pair that the vendor accepts after an overlap in doubt was not replaced, and the process stays ready", async () => {
    const { rig, coordinator } = await doubtful(() =>
      Promise.reject(new UpstreamError("access_token", "timeout")),
    );
    const { tickets, operator } = coordinator;
    operator.forceRefresh(false, never).catch(() => undefined);
    await rig.run(MINUTE);
    // Accepted while the overlap lasts: says nothing.
    tickets.accepted(tickets.current());
    await rig.run(10_000);
    expect(tickets.readiness().ready).toBe(false);
    tickets.accepted(tickets.current());
    await rig.run(MINUTE);
    expect(tickets.readiness().ready).toBe(true);
  });
});

test("after a manual edit of the store no wait is longer than our own code can write", async () => {
  const rig = createRig();
  const now = rig.store.now();
  const year = 365 * 24 * HOUR;
  const far = { until: now + year, ms: year };
  const state: TicketState = {
    ...EMPTY_STATE,
    granted: now,
    lease: { holder: "stranger", ...far },
    backoff: far,
    doubt: { upTo: now, since: now + year, hold: far },
  };
  rig.store.compareAndSet(rig.store.read().version, JSON.stringify(state));
  const { coordinator } = rig.started();
  await rig.run(11 * MINUTE);
  expect(coordinator.tickets.readiness().ready).toBe(true);
});

test("each different REFRESH_INTERVAL of another process is reported once", async () => {
  const rig = createRig();
  const timings = deriveTimings({ refreshIntervalMs: 10 * MINUTE, tokenOverlapMs: MINUTE });
  const [one, other] = [rig.started(), rig.started({ timings })];
  await rig.run(2 * HOUR);
  const named = [one, other].map(({ told }) => told.filter(({ event }) => event === "intervalDiffers"));
  expect(named).toEqual([
    [{ event: "intervalDiffers", detail: { oursMs: 20 * MINUTE, theirsMs: 10 * MINUTE } }],
    [{ event: "intervalDiffers", detail: { oursMs: 10 * MINUTE, theirsMs: 20 * MINUTE } }],
  ]);
  expect(rig.upstream.tokenCalls / 2).toBeLessThan(7);
});
