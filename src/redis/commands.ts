import type { Logins, StoreLocation } from "../config/store-url.ts";
import { StoreError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Part } from "../lib/lifecycle.ts";
import { createRedisLink } from "./link.ts";

/** Single commands to the ticket store's Redis, for state other than tickets that requests share. */
export interface RedisCommands extends Required<Part> {
  kind: "redis";
  /** Sends a command to the server that holds `key`. Rejects on timeout, and at once soon after a failure. */
  send(key: string, command: string[]): Promise<unknown>;
}

/** Command timeout, milliseconds; and the pause after a failure before Redis is tried again. */
const TIMEOUT_MS = 300;
const PAUSE_MS = 2_000;

/** Undefined unless `location` is a Redis. `logins` returns the current logins, if they may change. */
export function createRedisCommands(
  location: StoreLocation,
  clock: Clock,
  logins?: () => Logins,
): RedisCommands | undefined {
  if (location.kind !== "redis") return undefined;
  const link = createRedisLink({ location, logins, clock });
  let pausedUntil = Number.NEGATIVE_INFINITY;
  let failed: unknown;

  return {
    kind: "redis",
    async send(key, command) {
      if (clock.monotonic() < pausedUntil) throw failed;
      try {
        return await withDeadline(clock, TIMEOUT_MS, (signal) => link.send(key, command, signal));
      } catch (error) {
        pausedUntil = clock.monotonic() + PAUSE_MS;
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
