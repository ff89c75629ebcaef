import type { TurnableClock } from "./turnable-clock.ts";

/** Values that must not come twice, forgotten after a while so that a long load test does not fill the memory. */
export interface Recent {
  has(value: string): boolean;
  add(value: string): void;
}

/** Remembers each value for at least `keepMs`. */
export function createRecent(clock: TurnableClock, keepMs: number): Recent {
  // A Map keeps the order of insertion, so the oldest values are at its front.
  const addedAt = new Map<string, number>();
  return {
    has: (value) => addedAt.has(value),
    add(value) {
      const now = clock.now();
      for (const [old, at] of addedAt) {
        if (at + keepMs >= now) break;
        addedAt.delete(old);
      }
      addedAt.set(value, now);
    },
  };
}
