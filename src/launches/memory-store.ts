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
    async change(token, next) {
      const kept = outcomes.get(token);
      const changed = next(kept);
      if (!changed) return kept;
      outcomes.set(token, changed.text, changed.lifeMs);
      return changed.text;
    },
    async erase(token) {
      outcomes.delete(token);
    },
  };
}

/** Min interval between two purges, milliseconds: each skips what was deleted before, which adds up. */
const PURGE_MS = 100;
/** What lives longer is deleted when it has expired, milliseconds, and not only when something is added after that. */
const LONG_MS = 5 * 60_000;

/** Strings that expire. */
function createExpiring(clock: Clock) {
  /** By lifetime, within a factor of two: a Map iterates in insertion order, so expired entries are near its front. */
  const shelves = new Map<number, Map<string, { text: string; until: number }>>();
  let purgeAt = 0;

  function purge(now: number): void {
    if (now < purgeAt) return;
    purgeAt = now + PURGE_MS;
    for (const entries of shelves.values()) {
      for (const [key, { until }] of entries) {
        if (until > now) break;
        entries.delete(key);
      }
    }
  }

  function remove(key: string): void {
    for (const entries of shelves.values()) entries.delete(key);
  }

  return {
    get(key: string): string | undefined {
      for (const entries of shelves.values()) {
        const entry = entries.get(key);
        if (entry && clock.monotonic() < entry.until) return entry.text;
      }
      return undefined;
    },
    set(key: string, text: string, lifeMs: number): void {
      const now = clock.monotonic();
      purge(now);
      remove(key);
      const size = Math.ceil(Math.log2(lifeMs));
      const entries = shelves.get(size) ?? new Map<string, { text: string; until: number }>();
      shelves.set(size, entries.set(key, { text, until: now + lifeMs }));
      if (lifeMs > LONG_MS) void clock.sleep(lifeMs + PURGE_MS).then(() => purge(clock.monotonic()));
    },
    delete: remove,
  };
}
