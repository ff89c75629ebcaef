/** The delay before a retry: grows by doubling, capped, with the upper half random so that replicas spread out. */
export interface Backoff {
  /** First delay, milliseconds. */
  baseMs: number;
  /** Largest delay, milliseconds. */
  maxMs: number;
}

/** Delay in milliseconds before retry number `attempt` (0 for the first), half of it jitter. `random` is in [0, 1). */
export function backoffMs({ baseMs, maxMs }: Backoff, attempt: number, random: () => number): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return full / 2 + (full / 2) * random();
}
