import type { Clock } from "../lib/clock.ts";

/**
 * The sandbox's own clock: starts at wall time, runs with the underlying clock, and can be turned forward.
 */
export interface TurnableClock extends Clock {
  /** Turns the clock forward and wakes sleepers that are due. */
  advance(ms: number): void;
}

/** Preallocated: a bare `abort()` captures a stack trace. */
const TURNED = new Error("the clock was turned");

/** A turnable clock over `clock`. Follows monotonic time: adjusting the wall clock expires no token. */
export function createTurnableClock(clock: Clock): TurnableClock {
  const offset = clock.now() - clock.monotonic();
  let turnedMs = 0;
  const sleepers = new Set<AbortController>();

  const monotonic = () => clock.monotonic() + turnedMs;
  const now = () => Math.round(offset + monotonic());

  return {
    now,
    monotonic,
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError("the sandbox clock only turns forward");
      turnedMs += ms;
      for (const sleeper of sleepers) sleeper.abort(TURNED);
    },
    async sleep(ms, signal) {
      const until = now() + ms;
      while (now() < until) {
        signal?.throwIfAborted();
        // A controller each instead of AbortSignal.any: every call of a service under load sleeps here.
        const sleeper = new AbortController();
        const cancel = () => sleeper.abort(signal?.reason);
        signal?.addEventListener("abort", cancel);
        sleepers.add(sleeper);
        try {
          await clock.sleep(Math.ceil(until - now()), sleeper.signal);
        } catch (error) {
          if (signal?.aborted || error !== TURNED) throw error;
        } finally {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", cancel);
        }
      }
      signal?.throwIfAborted();
    },
  };
}
