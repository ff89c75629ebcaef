import type { Clock } from "../lib/clock.ts";
import { onAbort } from "../lib/deadline.ts";

/** Rests of a loop that hints may shorten. */
export interface Waker {
  /** Ends the rest, or the next one if there is none now. */
  wake(): void;
  /** Resolves after `ms`, when woken, or when `signal` aborts. */
  rest(ms: number, signal: AbortSignal): Promise<void>;
}

/** Preallocated: a bare `abort()` captures a stack trace. */
const WOKEN = new Error("woken");

export function createWaker(clock: Clock): Waker {
  let woken = false;
  let alarm: AbortController | undefined;

  return {
    wake() {
      woken = true;
      alarm?.abort(WOKEN);
    },
    async rest(ms, signal) {
      if (!woken) {
        const own = new AbortController();
        alarm = own;
        const release = onAbort(signal, (reason) => own.abort(reason));
        await clock.sleep(ms, own.signal).catch(() => undefined);
        release();
      }
      woken = false;
    },
  };
}
