import type { Clock } from "../lib/clock.ts";

/**
 * Gaps between this process's own looks at an order, on its monotonic clock. In the ledger they are times of the wall clock,
 * which another process may see differently, and then each would bring the order forward for the other.
 */
export interface Spacing {
  /** How much of the gap is left, milliseconds. */
  leftMs(orderNo: string): number;
  looked(orderNo: string, gapMs: number): void;
}

/** Gaps that are forgotten when they are over, once there are as many: one is some 100 bytes. */
const CROWD = 10_000;
/** What differs by less is no fault of a clock, milliseconds. */
const JITTER_MS = 2_000;

export function createSpacing(clock: Pick<Clock, "monotonic">): Spacing {
  const until = new Map<string, number>();
  let crowd = CROWD;

  return {
    leftMs: (orderNo) => Math.max(0, (until.get(orderNo) ?? 0) - JITTER_MS - clock.monotonic()),
    looked(orderNo, gapMs) {
      until.set(orderNo, clock.monotonic() + gapMs);
      if (until.size < crowd) return;
      for (const [old, at] of until) if (at < clock.monotonic()) until.delete(old);
      crowd = Math.max(CROWD, until.size * 2);
    },
  };
}
