import { parseStoreUrl } from "../domain/store-url.ts";
import { type Clock, withDeadline } from "../lib/clock.ts";
import type { Part } from "../lib/lifecycle.ts";
import { createRedisLink } from "./link.ts";

/** Single commands to the Redis of STORE_URL, for what requests share beside the tickets. */
export interface RedisCommands extends Required<Part> {
  /** Sends one to the server that holds `key`. Rejects when there is no answer in time, or was none a moment ago. */
  send(key: string, command: string[]): Promise<unknown>;
}

/** Longer than this no request waits, milliseconds; and so long after that it does not ask again. */
const TIMEOUT_MS = 300;
const PAUSE_MS = 2_000;

/** Undefined unless `storeUrl` names a Redis. */
export function createRedisCommands(storeUrl: string, clock: Clock): RedisCommands | undefined {
  const location = parseStoreUrl(storeUrl);
  if (typeof location === "string" || location.kind !== "redis") return undefined;
  const link = createRedisLink({ location, clock });
  let silentUntil = Number.NEGATIVE_INFINITY;

  return {
    async send(key, command) {
      if (clock.monotonic() < silentUntil) throw new Error("Redis did not answer a moment ago");
      try {
        return await withDeadline(clock, TIMEOUT_MS, (signal) => link.send(key, command, signal));
      } catch (error) {
        silentUntil = clock.monotonic() + PAUSE_MS;
        if (error instanceof Error && error.message.startsWith("READONLY")) link.renew();
        throw error;
      }
    },
    async start() {
      link.open();
    },
    stop: () => link.close(),
  };
}
