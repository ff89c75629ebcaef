import { join } from "node:path";
import type { Logins, StoreLocation } from "../../config/store-url.ts";
import type { TicketTimings } from "../../config/ticket-timings.ts";
import type { Clock } from "../../lib/clock.ts";
import { createFileStore } from "./file-store.ts";
import { createMemoryRegister, createMemoryStore } from "./memory-store.ts";
import { createPostgresStore } from "./postgres-store.ts";
import { createRedisStore } from "./redis-store.ts";
import type { TicketStore } from "./store.ts";

/** What a store needs beyond its URL. */
export interface StoreOptions {
  clock: Clock;
  /** The register's name (`registerName`): tickets of two environments never mix. */
  register: string;
  /** The current credentials, if they may be reloaded. */
  logins?: (() => Logins) | undefined;
  timings: Pick<TicketTimings, "storeTimeoutMs" | "pollMs" | "refreshIntervalMs">;
}

/** The file store's directory for a register: `APP@HOST` under that of STORE_URL, with percent-escapes for file names. */
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
    case "postgres":
      return createPostgresStore({ location, login: logins, register, clock, timings });
    case "redis":
      // The hash tag in braces keeps all keys of one register in one slot of a cluster.
      return createRedisStore({ location, logins, key: `faceid:{${register}}:tickets`, clock, timings });
  }
}
