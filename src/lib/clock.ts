import os from "node:os";

/**
 * Time as an argument. The only file that may name `Date.now`, `setTimeout` or `setInterval`
 * (`test/rules/imports.test.ts` keeps it so), which is what lets tests turn the clock by hand.
 */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. For people and for the vendor's formats, never for ages. */
  now(): number;
  /** Milliseconds on a clock that never goes back and goes on while the machine is suspended. For ages and deadlines. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with `signal.reason` as soon as the signal aborts. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

// os.uptime() counts suspended time but has a resolution of 10 ms; process time is fine-grained but stops with the machine.
// Their difference only grows by suspension, so the larger reading of the two is monotonic and misses nothing.
const origin = os.uptime() * 1000 - performance.now();
let suspendedMs = 0;
let askedAt = Number.NEGATIVE_INFINITY;

/**
 * How often the kernel is asked, milliseconds: reading its uptime costs more than all else that a request does with time.
 * Not longer than it must be: for so long a suspension can go unnoticed, and a lease be taken for valid that has run out.
 */
const ASK_MS = 10;

function monotonic(): number {
  const fine = performance.now();
  if (fine - askedAt > ASK_MS) {
    askedAt = fine;
    const lost = os.uptime() * 1000 - origin - fine;
    if (lost > suspendedMs + 1000) suspendedMs = lost;
  }
  return fine + suspendedMs;
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic,
  // Not by node:timers/promises, which makes an error with a stack for each sleep that is given up.
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const giveUp = () => {
        stop();
        reject(signal?.reason as Error);
      };
      const stop = after(ms, () => {
        signal?.removeEventListener("abort", giveUp);
        resolve();
      });
      signal?.addEventListener("abort", giveUp, { once: true });
    }),
};

/** Calls `act` after `ms` of real time, unless the returned function is called first. Does not keep the process alive. */
export function after(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms).unref();
  return () => clearTimeout(timer);
}
