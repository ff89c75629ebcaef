import type { Logins, StoreLocation } from "../config/store-url.ts";
import { StoreError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Part } from "../lib/lifecycle.ts";
import { createRedisLink } from "./link.ts";

/** Single commands to the Redis of the ticket store, for what requests share beside the tickets. */
export interface RedisCommands extends Required<Part> {
  /** Sends one to the server that holds `key`. Rejects when there is no answer in time, or was none a moment ago. */
  send(key: string, command: string[]): Promise<unknown>;
}

/** Longer than this no request waits, milliseconds; and so long after that it does not ask again. */
const TIMEOUT_MS = 300;
const PAUSE_MS = 2_000;

/** Undefined unless `location` is one of Redis. `logins`: those of the moment, where they may change. */
export function createRedisCommands(
  location: StoreLocation,
  clock: Clock,
  logins?: () => Logins,
): RedisCommands | undefined {
  if (location.kind !== "redis") return undefined;
  const link = createRedisLink({ location, logins, clock });
  let silentUntil = Number.NEGATIVE_INFINITY;
  let failed: unknown;

  return {
    async send(key, command) {
      if (clock.monotonic() < silentUntil) throw failed;
      try {
        return await withDeadline(clock, TIMEOUT_MS, (signal) => link.send(key, command, signal));
      } catch (error) {
        silentUntil = clock.monotonic() + PAUSE_MS;
        failed = error instanceof StoreError ? error : new StoreError(command[0] ?? "", "TIMEOUT", error);
        if (error instanceof StoreError && error.code === "READONLY") link.renew();
        throw failed;
      }
    },
    async start() {
      link.open();
    },
    stop: () => link.close(),
  };
}
