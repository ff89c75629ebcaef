import { parseStoreUrl } from "../domain/store-url.ts";
import type { TicketTimings } from "../domain/timings.ts";
import type { Clock } from "../lib/clock.ts";
import { createMemoryRegister, createMemoryStore } from "./memory-store.ts";
import type { TicketStore } from "./store.ts";

/** What a store needs beyond its URL. */
export interface StoreOptions {
  clock: Clock;
  /** With the upstream's host this names the register: tickets of two environments never mix. */
  appId: string;
  baseUrl: string;
  timings: Pick<TicketTimings, "storeTimeoutMs" | "pollMs" | "refreshIntervalMs">;
}

/** The store STORE_URL chooses, not yet open. Throws on a URL that `storeUrlProblem` would have refused. */
export function openStore(url: string, { clock }: StoreOptions): TicketStore {
  const location = parseStoreUrl(url);
  if (typeof location === "string") throw new Error(`STORE_URL ${location}`);
  if (location.kind === "memory") return createMemoryStore(createMemoryRegister(clock));
  throw new Error("not yet written");
}
