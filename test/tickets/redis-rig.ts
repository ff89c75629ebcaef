import { createSecretKey } from "node:crypto";
import { afterEach } from "vitest";
import { parseStoreUrl, type RedisLocation } from "../../src/config/store-url.ts";
import { deriveTimings } from "../../src/config/ticket-timings.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Secret } from "../../src/lib/redacted.ts";
import { createCoordinator } from "../../src/tickets/coordinator.ts";
import { UNSEEN } from "../../src/tickets/processes.ts";
import { parseState } from "../../src/tickets/protocol/state.ts";
import { createSealer } from "../../src/tickets/sealer.ts";
import type { SharedState } from "../../src/tickets/shared-state.ts";
import { createRedisStore } from "../../src/tickets/stores/redis-store.ts";
import type { TicketStore } from "../../src/tickets/stores/store.ts";
import { eventually } from "../support/harness.ts";
import type { RedisServer } from "../support/redis.ts";

export const KEY = "faceid:{test@host}:tickets";
/** A clock three times as fast as the vendor's: half a second for the store, a poll every 1.7 s. */
export const TIMINGS = deriveTimings({ refreshIntervalMs: 20 * 60_000, tokenOverlapMs: 20_000 });
/** What ends with the test. */
export const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** A store's handle, not yet open. */
export function storeAt(url: string): TicketStore {
  const location = parseStoreUrl(url) as RedisLocation;
  const store = createRedisStore({ location, key: KEY, clock: systemClock, timings: TIMINGS });
  closing.push(() => store.close());
  return store;
}

/** The same, open and answering. */
export async function openAt(url: string): Promise<TicketStore> {
  const store = storeAt(url);
  await store.open();
  await eventually(() => answers(store));
  return store;
}

/** Whether the store can be read now. */
export const answers = (store: TicketStore) =>
  store.read().then(
    () => true,
    () => false,
  );

/** How long a promise takes to settle, milliseconds. */
export async function timeOf(promise: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await promise.catch(() => undefined);
  return performance.now() - startedAt;
}

/** Every replica requests a new fleet's lease in the same moment; the status of each. */
export async function acquireAtOnce(registers: SharedState[]): Promise<string[]> {
  const outcomes = await Promise.all(
    registers.map((register, i) =>
      register.apply({
        kind: "acquire",
        holder: `h${i}`,
        expected: 0,
        atLeast: 0,
        due: true,
        continues: undefined,
        credentials: "",
      }),
    ),
  );
  return outcomes.map(({ status }) => status);
}

/** A vendor that counts, and a coordinator over a store. */
export function fleet() {
  let issued = 0;
  let [inFlight, overlaps] = [0, 0];
  const upstream = {
    async fetchAccessToken() {
      if (++inFlight > 1) overlaps++;
      await systemClock.sleep(20);
      inFlight--;
      return { value: new Secret(`token ${++issued}`), lifeMs: 7_200_000 };
    },
    fetchSignTicket: async (token: Secret) => ({
      value: new Secret(`ticket of ${token.reveal()}`),
      lifeMs: 3_600_000,
    }),
  };
  const told: string[] = [];
  async function member(store: TicketStore, name: string) {
    const coordinator = createCoordinator({
      secrets: () => [new Secret("secret")],
      upstream,
      store,
      sealer: createSealer("app", () => [{ id: "k", key: createSecretKey(new Uint8Array(32)) }]),
      clock: systemClock,
      random: Math.random,
      timings: TIMINGS,
      replica: name,
      refreshes: true,
      processes: UNSEEN,
      events: new Proxy({} as never, { get: (_target, event: string) => () => told.push(event) }),
    });
    await coordinator.start();
    closing.unshift(() => coordinator.stop());
    return coordinator;
  }
  return {
    member,
    told,
    get calls() {
      return issued;
    },
    get overlaps() {
      return overlaps;
    },
  };
}

/** The generation that this server holds; 0 for none. */
export async function publishedIn(server: RedisServer): Promise<number> {
  const state = parseState(await server.cli("HGET", KEY, "value"));
  return typeof state === "string" ? 0 : (state.published?.generation ?? 0);
}
