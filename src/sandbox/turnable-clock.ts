import type { Clock } from "../lib/clock.ts";

/** The sandbox's own time: starts at wall time, runs with the given clock, and can be turned forward. */
export interface TurnableClock extends Clock {
  /** Turns the clock forward and wakes the sleepers whose time has come. */
  advance(ms: number): void;
}

/** A turnable clock over `clock`. Ages come from its monotonic side, so a corrected wall clock kills no token. */
export function createTurnableClock(clock: Clock): TurnableClock {
  const offset = clock.now() - clock.monotonic();
  let turnedMs = 0;
  let turned = new AbortController();

  const monotonic = () => clock.monotonic() + turnedMs;
  const now = () => Math.round(offset + monotonic());

  return {
    now,
    monotonic,
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError("the sandbox clock only turns forward");
      turnedMs += ms;
      const sleepers = turned;
      turned = new AbortController();
      sleepers.abort();
    },
    async sleep(ms, signal) {
      const until = now() + ms;
      while (now() < until) {
        signal?.throwIfAborted();
        const woken = turned.signal;
        try {
          await clock.sleep(Math.ceil(until - now()), signal ? AbortSignal.any([woken, signal]) : woken);
        } catch (error) {
          if (signal?.aborted || !woken.aborted) throw error;
        }
      }
      signal?.throwIfAborted();
    },
  };
}
