import { join } from "node:path";
import { parseStoreUrl } from "../domain/store-url.ts";
import type { TicketTimings } from "../domain/timings.ts";
import type { Clock } from "../lib/clock.ts";
import { createFileStore } from "./file-store.ts";
import { createMemoryRegister, createMemoryStore } from "./memory-store.ts";
import { createRedisStore } from "./redis-store.ts";
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
export function openStore(url: string, { clock, appId, baseUrl, timings }: StoreOptions): TicketStore {
  const location = parseStoreUrl(url);
  if (typeof location === "string") throw new Error(`STORE_URL ${location}`);
  const { host } = new URL(baseUrl);
  switch (location.kind) {
    case "memory":
      return createMemoryStore(createMemoryRegister(clock));
    case "file": {
      const directory = join(location.directory, `${appId}@${encodeURIComponent(host)}`);
      return createFileStore({ directory, clock, timings });
    }
    case "redis":
      // The braces keep all that belongs to one register in one slot of a cluster.
      return createRedisStore({ location, key: `faceid:{${appId}@${host}}:tickets`, clock, timings });
  }
}
