import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeEntry } from "../../src/domain/codes.ts";
import { ErrorReason, UpstreamError } from "../../src/errors.ts";
import { createNonceSpacing } from "../../src/handlers/nonce-spacing.ts";
import { createMemoryLaunchStore } from "../../src/launches/memory-store.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { missingRedis, type RedisServer, startRedis, stopRedis } from "../support/redis.ts";

const person = { name: "张三", id_no: "11010519491231002X" };

describe.concurrent("two launches of one person within two seconds keep the vendor's rule", () => {
  test("two consecutive launches of one person keep the vendor's two seconds", async () => {
    await using harness = await startHarness();
    const [first, second] = [
      await harness.form("/get_face_params", person),
      await harness.form("/get_face_params", person),
    ];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(first.body.result.order_no).not.toBe(second.body.result.order_no);
    expect(harness.wire.of("nonce_ticket")).toHaveLength(2);
    expect(harness.sandbox.breaches).toEqual([]);
  });

  test("two simultaneous launches of one person keep the vendor's two seconds, and other people do not wait", async () => {
    await using harness = await startHarness();
    const launch = (fields: object) => harness.form("/get_face_params", { ...person, ...fields });
    const began = performance.now();
    const both = Promise.all([
      launch({ request_id: "a", user_id: "same" }),
      launch({ request_id: "b", user_id: "same", name: "张三丰" }),
    ]);
    expect((await launch({ user_id: "other" })).status).toBe(200);
    const others = performance.now() - began;
    expect((await both).map(({ status }) => status)).toEqual([200, 200]);
    expect(others).toBeLessThan(performance.now() - began);
    expect(harness.sandbox.breaches).toEqual([]);
  });

  test("the two seconds count from a slow vendor's response", async () => {
    await using harness = await startHarness({ sandbox: { latencyMs: 700 } });
    await harness.form("/get_face_params", person);
    expect((await harness.form("/get_face_params", person)).status).toBe(200);
    expect(harness.sandbox.breaches).toEqual([]);
  });

  test("a launch waits for its turn no longer than its caller", async () => {
    await using harness = await startHarness();
    const message = { name: person.name, idNo: person.id_no };
    await harness.json("GetFaceParams", message);
    const { body } = await harness.json("GetFaceParams", message, { "connect-timeout-ms": "300" });
    expect(body.code).toBe("deadline_exceeded");
    expect(harness.sandbox.breaches).toEqual([]);
  });
});

describe.skipIf(missingRedis("redis-server"))("with replicas that share a Redis", () => {
  let redis: RedisServer;
  let replicas: Harness[];
  beforeAll(async () => {
    redis = await startRedis();
    const sandbox = await startHarness({ env: { STORE_URL: redis.url } });
    const another = await startHarness({
      env: {
        STORE_URL: redis.url,
        FACEID_BASE_URL: sandbox.wire.url,
        FACEID_SECRET: sandbox.sandbox.secret,
      },
    });
    replicas = [sandbox, another];
  });
  afterAll(async () => {
    for (const replica of replicas ?? []) await replica.stop();
    await stopRedis();
  });

  test("a launch at one replica waits for the other's launch", async () => {
    const [one, other] = replicas as [Harness, Harness];
    expect((await one.form("/get_face_params", person)).status).toBe(200);
    expect((await other.form("/get_face_params", person)).status).toBe(200);
    expect(one.wire.of("nonce_ticket")).toHaveLength(2);
    expect(one.sandbox.breaches).toEqual([]);
  });
});

describe("the turns of one user", () => {
  /** A spacing on a clock of its own, and when what was asked, milliseconds from the start. */
  function rig() {
    const clock = createTurnableClock({ ...systemClock, now: () => 0, monotonic: () => 0, sleep: forEver });
    const store = createMemoryLaunchStore(clock);
    const spaced = createNonceSpacing({ store, clock });
    const asked: number[] = [];
    const { signal } = new AbortController();
    const ask = (outcome: () => unknown = () => "ticket") =>
      spaced("u1", signal, async () => {
        asked.push(clock.monotonic());
        return outcome();
      });
    async function pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 50) {
        clock.advance(50);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    return { ask, asked, pass };
  }
  const forEver = (_ms: number, signal?: AbortSignal) =>
    new Promise<void>((_resolve, reject) =>
      signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
    );
  const failing = (failure: "not_sent" | "broken" | "code", code?: string) => () => {
    throw new UpstreamError("nonce_ticket", failure, {
      entry: code === undefined ? undefined : codeEntry(code),
    });
  };

  test("the turns of one user are two seconds apart, and a growing queue is rejected with a retry delay", async () => {
    const { ask, asked, pass } = rig();
    const all = Promise.allSettled(Array.from({ length: 5 }, () => ask()));
    await pass(10_000);
    const outcomes = (await all).map((one) => (one.status === "fulfilled" ? one.value : one.reason));
    expect(outcomes.filter((one) => one === "ticket")).toHaveLength(asked.length);
    expect(asked.length).toBeGreaterThanOrEqual(2);
    expect(asked.length).toBeLessThan(5);
    for (const [i, at] of asked.entries()) if (i > 0) expect(at - (asked[i - 1] ?? 0)).toBeGreaterThan(2_000);
    expect(outcomes.filter((one) => one !== "ticket")).toEqual(
      Array(5 - asked.length).fill(expect.objectContaining({ reason: ErrorReason.RATE_LIMITED })),
    );
  });

  test.each([
    ["never left", failing("not_sent"), 0],
    ["was refused for another reason", failing("code", "400103"), 0],
    ["may have brought a ticket", failing("broken"), 2_000],
  ])("the next turn comes at the right time after a call that %s", async (_what, outcome, leastMs) => {
    const { ask, asked, pass } = rig();
    await expect(ask(outcome)).rejects.toThrow();
    const next = ask();
    await pass(4_000);
    await next;
    expect(asked[1]).toBeGreaterThanOrEqual(leastMs);
    expect(asked[1]).toBeLessThan(leastMs + 1_000);
  });
});
