import type { Clock } from "../lib/clock.ts";
import type { LaunchStore } from "./store.ts";

/** A launch store in this process's memory. */
export function createMemoryLaunchStore(clock: Clock): LaunchStore {
  const claims = createExpiring(clock);
  const outcomes = createExpiring(clock);

  return {
    shared: false,
    async claim(key, token, lifeMs) {
      const owner = claims.get(key) ?? token;
      if (owner !== token) return owner;
      claims.set(key, token, lifeMs);
      return undefined;
    },
    async release(key, token) {
      if (claims.get(key) === token) claims.delete(key);
    },
    async keep(token, outcome, lifeMs) {
      outcomes.set(token, outcome, lifeMs);
    },
    async outcome(token) {
      return outcomes.get(token);
    },
  };
}

/** Min interval between two purges, milliseconds: each skips what was deleted before, which adds up. */
const PURGE_MS = 100;

/** Strings that expire. */
function createExpiring(clock: Clock) {
  const entries = new Map<string, { text: string; until: number }>();
  let purgeAt = 0;

  /** A Map iterates in insertion order and lifetimes are similar, so expired entries are near the front. */
  function purge(now: number): void {
    if (now < purgeAt) return;
    purgeAt = now + PURGE_MS;
    for (const [key, { until }] of entries) {
      if (until > now) break;
      entries.delete(key);
    }
  }

  return {
    get(key: string): string | undefined {
      const entry = entries.get(key);
      return entry && clock.monotonic() < entry.until ? entry.text : undefined;
    },
    set(key: string, text: string, lifeMs: number): void {
      const now = clock.monotonic();
      purge(now);
      entries.delete(key);
      entries.set(key, { text, until: now + lifeMs });
    },
    delete: (key: string) => entries.delete(key),
  };
}
