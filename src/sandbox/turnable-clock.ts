import type { Clock } from "../lib/clock.ts";

/** The sandbox's own time: starts at wall time, runs with the given clock, and can be turned forward. */
export interface TurnableClock extends Clock {
  /** Turns the clock forward and wakes the sleepers whose time has come. */
  advance(ms: number): void;
}

/** A ready-made reason: nobody reads its stack. */
const TURNED = new Error("the clock was turned");

/** A turnable clock over `clock`. Ages come from its monotonic side, so a corrected wall clock kills no token. */
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
        // One controller each and no AbortSignal.any: every call of a service under load sleeps here.
        const sleeper = new AbortController();
        const leave = () => sleeper.abort(signal?.reason);
        signal?.addEventListener("abort", leave);
        sleepers.add(sleeper);
        try {
          await clock.sleep(Math.ceil(until - now()), sleeper.signal);
        } catch (error) {
          if (signal?.aborted || error !== TURNED) throw error;
        } finally {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", leave);
        }
      }
      signal?.throwIfAborted();
    },
  };
}
