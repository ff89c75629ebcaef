import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { Secret } from "../../src/lib/redacted.ts";
import type { TicketEvents } from "../../src/tickets/events.ts";
import { type Processes, UNSEEN } from "../../src/tickets/processes.ts";
import type { TicketUpstream } from "../../src/tickets/refresh-calls.ts";
import { eventually } from "../support/harness.ts";
import { missingRedis, startRedis, stopRedis } from "../support/redis.ts";
import { coordinatorAt, TIMINGS } from "./refresher-child.ts";

const CHILD = join(import.meta.dirname, "refresher-child.ts");
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** A process that holds the lease and is caught in one of its calls. */
async function caughtIn(call: string, url: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [CHILD, url, call], { stdio: ["ignore", "pipe", "inherit"] });
  closing.push(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });
  for await (const chunk of child.stdout ?? []) if (String(chunk).includes("caught")) break;
  return child;
}

/** Another process, from when `strike` hits the first one: when it notices, and when it is ready, milliseconds. */
async function takeover(child: ChildProcess, url: string, strike: NodeJS.Signals, processes?: Processes) {
  let noticedAt = Number.NaN;
  let tokenCalls = 0;
  const events: Partial<TicketEvents> = {
    refresherDied: () => {
      noticedAt = performance.now();
    },
  };
  const upstream: Partial<TicketUpstream> = {
    fetchAccessToken: async () => {
      tokenCalls++;
      return { value: new Secret("token"), lifeMs: 7_200_000 };
    },
  };
  const { store, coordinator } = coordinatorAt(url, upstream, events, processes);
  await store.open();
  closing.push(async () => {
    await coordinator.stop();
    await store.close();
  });
  await coordinator.start();
  expect(coordinator.operator.status().lease?.holder).toContain(`process-${child.pid}/`);
  child.kill(strike);
  const struckAt = performance.now();
  await eventually(() => coordinator.tickets.readiness().ready);
  return { noticedMs: noticedAt - struckAt, readyMs: performance.now() - struckAt, tokenCalls };
}

test.skipIf(process.platform !== "linux")(
  "a refresher killed on the same machine, with a file store, is replaced once its call can have ended",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "killed-"));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const url = `file:${directory}`;
    const { noticedMs, readyMs, tokenCalls } = await takeover(
      await caughtIn("fetchAccessToken", url),
      url,
      "SIGKILL",
    );
    expect(noticedMs).toBeLessThan(2_000);
    // Not before the call that was under way can have ended, and long before the lease would have.
    expect(readyMs).toBeGreaterThan(TIMINGS.tokenTimeoutMs / 2);
    expect(readyMs).toBeLessThan(TIMINGS.tokenTimeoutMs + 2_000);
    expect(tokenCalls).toBe(1);
  },
);

describe.skipIf(missingRedis("redis-server"))("with a Redis store", () => {
  afterAll(stopRedis);

  test.each(["SIGKILL", "SIGSTOP"] as const)(
    "a refresher that gets %s with its token staged is missed by its beats, and the stage is continued",
    async (strike) => {
      const { url } = await startRedis();
      const child = await caughtIn("fetchSignTicket", url);
      // As on two machines, which cannot see each other's processes.
      const { readyMs, tokenCalls } = await takeover(child, url, strike, UNSEEN);
      expect(readyMs).toBeLessThan(2_000);
      expect(tokenCalls).toBe(0);
    },
  );
});
