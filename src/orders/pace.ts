import type { Clock } from "../lib/clock.ts";

/** A rate with room for a burst: a token bucket. */
export interface Pace {
  /** How many may start now. */
  available(): number;
  /** Uses `count` of them up. */
  take(count: number): void;
  /** Time until the next may start, milliseconds; 0 if one may now. */
  waitMs(): number;
}

export function createPace({ perSecond, burst }: { perSecond: number; burst: number }, clock: Clock): Pace {
  const intervalMs = 1_000 / perSecond;
  /** When the bucket is full again. */
  let fullAt = clock.monotonic();
  const missing = () => Math.max(0, fullAt - clock.monotonic()) / intervalMs;

  return {
    available: () => Math.floor(burst - missing()),
    take(count) {
      fullAt = Math.max(fullAt, clock.monotonic()) + count * intervalMs;
    },
    waitMs: () => Math.max(0, (missing() - burst + 1) * intervalMs),
  };
}
