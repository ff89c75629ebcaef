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

let turn: Promise<void> | undefined;

/**
 * Resolves when everything else that is due has had its turn: between two pieces of work that are long together. All who
 * ask in one turn of the event loop go on together, step by step, so that what they do in common is in the processor's
 * caches for all but the first: under load that is half of what a call costs. On its own, a call waits for nothing.
 */
export function nextTurn(): Promise<void> {
  turn ??= new Promise((resolve) => {
    setImmediate(() => {
      turn = undefined;
      resolve();
    });
  });
  return turn;
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

/** A ready-made reason: without one, every `abort()` makes an exception with a stack, and nobody reads it. */
const SETTLED = new Error("settled");

/**
 * Calls `act` with the signal's reason when it aborts, or now if it has; the returned function lets go of it. To follow a
 * signal by hand: `AbortSignal.any` keeps weak references, which cost more than all that a request does with signals.
 */
export function onAbort(signal: AbortSignal, act: (reason: Error) => void): () => void {
  const aborted = () => act(signal.reason as Error);
  if (signal.aborted) aborted();
  else signal.addEventListener("abort", aborted, { once: true });
  return () => signal.removeEventListener("abort", aborted);
}

/** Settles as `work` does, or rejects with the signal's reason as soon as it aborts. For work that cannot be cut off itself. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const release = onAbort(signal, reject);
  work.then(resolve, reject).finally(release);
  return promise;
}

/**
 * Runs `work` with a signal that aborts after `ms` on the given clock (reason: a `TimeoutError`) or with `outer`.
 * The promise settles when `work` does or the time is over, whichever is first.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const limit = new AbortController();
  const settled = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (reason: Error) => {
    limit.abort(reason);
    reject(reason);
  };
  const release = outer && onAbort(outer, end);
  clock.sleep(ms, settled.signal).then(
    () => end(new DOMException(`no answer within ${ms} ms`, "TimeoutError")),
    () => undefined,
  );
  try {
    return await Promise.race([work(limit.signal), ended]);
  } finally {
    release?.();
    settled.abort(SETTLED);
  }
}

/** A signal with an end of its own. */
export interface TimeLimit {
  readonly signal: AbortSignal;
  /** Whether the time was over first. */
  readonly expired: boolean;
  /** Lets go of timer and outer signal; the signal does not abort any more. */
  release(): void;
}

/** Calls `act` after `ms` of real time, unless the returned function is called first. Does not keep the process alive. */
export function after(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms).unref();
  return () => clearTimeout(timer);
}

/**
 * Calls `cut` when `outer` aborts, with its reason, or after `ms` of real time, with a TimeoutError. The returned function
 * lets go of both. Unlike `AbortSignal.timeout` it leaves nothing behind then, which counts at thousands of calls a second.
 */
export function cutOff(
  ms: number,
  outer: AbortSignal,
  cut: (reason: Error, expired: boolean) => void,
): () => void {
  const stop = after(ms, () => cut(new DOMException(`no answer within ${ms} ms`, "TimeoutError"), true));
  const release = onAbort(outer, (reason) => cut(reason, false));
  return () => {
    stop();
    release();
  };
}

/** A signal that aborts with `outer`, or after `ms` of real time. */
export function limitTime(ms: number, outer: AbortSignal): TimeLimit {
  const controller = new AbortController();
  let over = false;
  const release = cutOff(ms, outer, (reason, expired) => {
    over = expired;
    controller.abort(reason);
  });
  return {
    signal: controller.signal,
    get expired() {
      return over;
    },
    release,
  };
}
