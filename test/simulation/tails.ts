import type { Outcome } from "./simulation.ts";

/** The longest outage of a process in one run, seconds: that of 999 in 1,000 processes at the most, and of all. */
export interface Tail {
  p999S: number;
  worstS: number;
}

/**
 * Measured over 1,000 processes and more (docs/ticket-cache.md). `cutoff` and `everything` cut processes off from the store, or take the
 * token endpoint away, for longer than a token lives on, which nothing can bridge: at worst for as long as that lasts.
 */
export const TAILS: Readonly<Record<string, Tail>> = {
  none: { p999S: 0, worstS: 0 },
  crash: { p999S: 0, worstS: 30 },
  pause: { p999S: 5, worstS: 30 },
  lostreply: { p999S: 5, worstS: 30 },
  failover: { p999S: 0, worstS: 30 },
  clockjump: { p999S: 0, worstS: 30 },
  onehost: { p999S: 5, worstS: 30 },
  powerloss: { p999S: 5, worstS: 30 },
  cutoff: { p999S: 60, worstS: 180 },
  keys: { p999S: 0, worstS: 30 },
  hastykeys: { p999S: 0, worstS: 30 },
  secrets: { p999S: 3, worstS: 10 },
  intervals: { p999S: 5, worstS: 30 },
  everything: { p999S: 120, worstS: 1_200 },
};

/** The outage that this share of the processes does not exceed, seconds. */
export function quantile(runs: readonly Pick<Outcome, "outagesS">[], share: number): number {
  const outages = runs.flatMap(({ outagesS }) => outagesS).toSorted((a, b) => a - b);
  return outages[Math.min(outages.length - 1, Math.ceil(outages.length * share) - 1)] ?? 0;
}
