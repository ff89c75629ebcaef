import { afterAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { createStoreHealth } from "../../src/tickets/stores/store-health.ts";
import { startHarness } from "../support/harness.ts";
import { missingRedis, startRedis, stopRedis } from "../support/redis.ts";

afterAll(stopRedis);

function observed(probe: () => Promise<void>, refreshes = true) {
  let now = 0;
  const events: unknown[] = [];
  const health = createStoreHealth({
    store: { probe },
    clock: { ...systemClock, monotonic: () => now },
    refreshes,
    timings: { refreshIntervalMs: 20_000 },
    events: {
      storeChanged: ({ up, error }) => void events.push(up ? "up" : (error as { code?: string }).code),
    },
  });
  return { health, events, pass: (ms: number) => (now += ms) };
}

const trouble = (code: string) => Object.assign(new Error(code), { code });

describe("a store that responds", () => {
  test("a store is probed with a write now and then, and at every poll while it accepts none", async () => {
    let probes = 0;
    let refusal: Error | undefined;
    const { health, events, pass } = observed(async () => {
      probes += 1;
      if (refusal) throw refusal;
    });
    for (let look = 0; look < 5; look++) {
      await health.readSucceeded();
      pass(400);
    }
    expect([probes, health.isUp]).toEqual([2, true]);
    refusal = trouble("ENOSPC");
    pass(1_000);
    for (let look = 0; look < 3; look++) await health.readSucceeded();
    expect([probes, health.isUp, events]).toEqual([5, false, ["ENOSPC"]]);
    refusal = undefined;
    await health.readSucceeded();
    expect([health.isUp, events]).toEqual([true, ["ENOSPC", "up"]]);
  });

  test("a store is down after a failed write, until it accepts one", async () => {
    const { health, events } = observed(async () => undefined);
    await health.readSucceeded();
    health.failed(trouble("READONLY"));
    expect(health.isUp).toBe(false);
    await health.readSucceeded();
    expect([health.isUp, events]).toEqual([true, ["READONLY", "up"]]);
  });

  test("each kind of error is reported once per outage", () => {
    const { health, events } = observed(async () => undefined);
    for (const code of ["TIMEOUT", "NOPERM", "TIMEOUT", "NOPERM"]) health.failed(trouble(code));
    expect(events).toEqual(["TIMEOUT", "NOPERM"]);
  });

  test("a process that does not refresh never writes to the store", async () => {
    const { health } = observed(() => Promise.reject(trouble("NOPERM")), false);
    await health.readSucceeded();
    expect(health.isUp).toBe(true);
  });
});

test.skipIf(missingRedis("redis-server"))(
  "a Redis whose memory is full counts as down before a refresh is due, and is still read",
  async () => {
    const redis = await startRedis();
    await using harness = await startHarness({ env: { STORE_URL: redis.url, REFRESH_INTERVAL: "60s" } });
    const lines = (event: string) => harness.logs.filter((line) => line["event"] === event);
    expect(lines("store_down")).toEqual([]);
    await redis.cli("CONFIG", "SET", "maxmemory", "1");
    await expect.poll(() => lines("store_down"), { timeout: 30_000 }).toMatchObject([{ code: "OOM" }]);
    expect(harness.service.readiness().ready).toBe(true);
    const metrics = await (await fetch(`${harness.admin}/metrics`)).text();
    expect(metrics).toMatch(/faceid_ticket_store_up\{[^}]*\} 0/);
    await redis.cli("CONFIG", "SET", "maxmemory", "0");
    await expect.poll(() => lines("store_up").length, { timeout: 30_000 }).toBe(1);
  },
);
