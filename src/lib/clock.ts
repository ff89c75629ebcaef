import os from "node:os";

/**
 * Time as an argument. The only file that may name `Date.now`, `setTimeout` or `setInterval`
 * (enforced by `test/rules/imports.test.ts`), which is what lets tests turn the clock by hand.
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
let sampledAt = Number.NEGATIVE_INFINITY;

/**
 * Minimum interval between reads of the kernel's uptime, milliseconds. Also the longest a suspension can go unnoticed, and an
 * expired lease be trusted.
 * perf: docs/performance.md#clock
 */
const SAMPLE_MS = 10;

function monotonic(): number {
  const fine = performance.now();
  if (fine - sampledAt > SAMPLE_MS) {
    sampledAt = fine;
    const lost = os.uptime() * 1000 - origin - fine;
    if (lost > suspendedMs + 1000) suspendedMs = lost;
  }
  return fine + suspendedMs;
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic,
  // node:timers/promises creates an error with a stack trace for each aborted sleep.
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const cancel = () => {
        stop();
        reject(signal?.reason as Error);
      };
      const stop = after(ms, () => {
        signal?.removeEventListener("abort", cancel);
        resolve();
      });
      signal?.addEventListener("abort", cancel, { once: true });
    }),
};

/** Calls `act` after `ms` of real time, unless the returned function is called first. Does not keep the process alive. */
export function after(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms).unref();
  return () => clearTimeout(timer);
}
