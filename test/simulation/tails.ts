import type { Outcome } from "./simulation.ts";

/** What no run of a scenario exceeds, and what 999 of 1,000 do not: the longest outage of one process, seconds. */
export interface Tail {
  p999S: number;
  worstS: number;
}

/** The outage that this share of the runs does not exceed, seconds. */
export function quantile(runs: readonly Pick<Outcome, "worstOutageS">[], share: number): number {
  const outages = runs.map(({ worstOutageS }) => worstOutageS).toSorted((a, b) => a - b);
  return outages[Math.min(outages.length - 1, Math.ceil(outages.length * share) - 1)] ?? 0;
}
