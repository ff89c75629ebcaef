import { createSecretKey } from "node:crypto";
import { writeSync } from "node:fs";
import { parseStoreUrl, type StoreLocation } from "../../src/config/store-url.ts";
import { deriveTimings } from "../../src/config/ticket-timings.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Secret } from "../../src/lib/redacted.ts";
import { type Coordinator, createCoordinator } from "../../src/tickets/coordinator.ts";
import { IGNORED_EVENTS, type TicketEvents } from "../../src/tickets/events.ts";
import { createProcesses } from "../../src/tickets/processes.ts";
import type { TicketUpstream } from "../../src/tickets/refresh-calls.ts";
import { createSealer } from "../../src/tickets/sealer.ts";
import { openStore } from "../../src/tickets/stores/open-store.ts";
import type { TicketStore } from "../../src/tickets/stores/store.ts";

/** Three times as fast as the vendor's. */
export const TIMINGS = deriveTimings({ refreshIntervalMs: 20 * 60_000, tokenOverlapMs: 20_000 });

/** A process of the product as far as tickets go: real clock, real store, real view of other processes. */
export function coordinatorAt(
  url: string,
  upstream: Partial<TicketUpstream> = {},
  events: Partial<TicketEvents> = {},
  processes = createProcesses(),
): { store: TicketStore; coordinator: Coordinator } {
  const store = openStore(parseStoreUrl(url) as StoreLocation, {
    clock: systemClock,
    register: "TIDA0001@vendor",
    timings: TIMINGS,
  });
  const issued = async () => ({ value: new Secret(crypto.randomUUID()), lifeMs: 3_600_000 });
  const coordinator = createCoordinator({
    secrets: () => [new Secret("s".repeat(64))],
    upstream: { fetchAccessToken: issued, fetchSignTicket: issued, ...upstream },
    store,
    sealer: createSealer("TIDA0001", () => [{ id: "k", key: createSecretKey(new Uint8Array(32)) }]),
    clock: systemClock,
    random: Math.random,
    timings: TIMINGS,
    replica: `process-${process.pid}`,
    refreshes: true,
    processes,
    events: { ...IGNORED_EVENTS, ...events },
  });
  return { store, coordinator };
}

/** As a program: refreshes, and is caught in the call that it is told; says so on stdout and waits to be killed. */
if (process.argv[1] === import.meta.filename) {
  const [url = "", call = ""] = process.argv.slice(2);
  const { store, coordinator } = coordinatorAt(url, {
    [call]: () => {
      writeSync(1, "caught\n");
      return new Promise(() => undefined);
    },
  });
  setInterval(() => undefined, 1_000);
  await store.open();
  await coordinator.start();
}
