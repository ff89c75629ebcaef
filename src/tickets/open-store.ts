import { join } from "node:path";
import { type Logins, parseStoreUrl, registerName } from "../domain/store-url.ts";
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
  /** Those of the moment, where they may change. */
  logins?: (() => Logins) | undefined;
  timings: Pick<TicketTimings, "storeTimeoutMs" | "pollMs" | "refreshIntervalMs">;
}

/** Where the file store keeps a register: `APP@HOST` under the directory of STORE_URL, and what no file name may hold escaped. */
export const registerDirectory = (directory: string, name: string): string =>
  join(directory, name.split("@").map(encodeURIComponent).join("@"));

/** The store STORE_URL chooses, not yet open. Throws on a URL that `storeUrlProblem` would have refused. */
export function openStore(
  url: string,
  { clock, appId, baseUrl, logins, timings }: StoreOptions,
): TicketStore {
  const location = parseStoreUrl(url);
  if (typeof location === "string") throw new Error(`STORE_URL ${location}`);
  const name = registerName(appId, baseUrl);
  switch (location.kind) {
    case "memory":
      return createMemoryStore(createMemoryRegister(clock));
    case "file": {
      const directory = registerDirectory(location.directory, name);
      return createFileStore({ directory, clock, timings });
    }
    case "redis":
      // The braces keep all that belongs to one register in one slot of a cluster.
      return createRedisStore({ location, logins, key: `faceid:{${name}}:tickets`, clock, timings });
  }
}
