/** A delay that grows by doubling, up to a maximum. */
export interface Backoff {
  /** First delay, milliseconds. */
  baseMs: number;
  /** Largest delay, milliseconds. */
  maxMs: number;
}

/** Delay in milliseconds before retry number `attempt` (0 for the first), without jitter. */
export const exponentialMs = ({ baseMs, maxMs }: Backoff, attempt: number): number =>
  Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));

/** The same, of which half is jitter, so that replicas spread out. `random` is in [0, 1). */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number): number {
  const full = exponentialMs(backoff, attempt);
  return full / 2 + (full / 2) * random();
}
