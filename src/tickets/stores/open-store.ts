import { join } from "node:path";
import type { Logins, StoreLocation } from "../../config/store-url.ts";
import type { TicketTimings } from "../../config/ticket-timings.ts";
import type { Clock } from "../../lib/clock.ts";
import { createFileStore } from "./file-store.ts";
import { createMemoryRegister, createMemoryStore } from "./memory-store.ts";
import { createRedisStore } from "./redis-store.ts";
import type { TicketStore } from "./store.ts";

/** What a store needs beyond its URL. */
export interface StoreOptions {
  clock: Clock;
  /** What the register is called (`registerName`): tickets of two environments never mix. */
  register: string;
  /** Those of the moment, where they may change. */
  logins?: (() => Logins) | undefined;
  timings: Pick<TicketTimings, "storeTimeoutMs" | "pollMs" | "refreshIntervalMs">;
}

/** Where the file store keeps a register: `APP@HOST` under the directory of STORE_URL, and what no file name may hold escaped. */
export const registerDirectory = (directory: string, name: string): string =>
  join(directory, name.split("@").map(encodeURIComponent).join("@"));

/** The store at a location, not yet open. */
export function openStore(
  location: StoreLocation,
  { clock, register, logins, timings }: StoreOptions,
): TicketStore {
  switch (location.kind) {
    case "memory":
      return createMemoryStore(createMemoryRegister(clock));
    case "file": {
      const directory = registerDirectory(location.directory, register);
      return createFileStore({ directory, clock, timings });
    }
    case "redis":
      // The braces keep all that belongs to one register in one slot of a cluster.
      return createRedisStore({ location, logins, key: `faceid:{${register}}:tickets`, clock, timings });
  }
}
