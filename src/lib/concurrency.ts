/** Wraps `work` so that callers who arrive while it runs share the run under way instead of starting another. */
export function singleFlight<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}

/** Work under way that several callers wait for. */
export interface SharedWork<T> {
  /** Resolves or rejects as the work does; rejects with the signal's reason when this caller gives up before. */
  join(signal: AbortSignal): Promise<T>;
}

/** A ready-made reason: nobody reads it. */
const NOBODY = new Error("nobody waits for it any more");

/** Begins the work. Its signal aborts when the last of those who joined has given up, and not when one has. */
export function shareWork<T>(work: (signal: AbortSignal) => Promise<T>): SharedWork<T> {
  const stop = new AbortController();
  const result = work(stop.signal);
  result.catch(() => undefined);
  let waiting = 0;

  return {
    async join(signal) {
      signal.throwIfAborted();
      waiting += 1;
      const left = Promise.withResolvers<never>();
      const leave = () => {
        waiting -= 1;
        if (waiting === 0) stop.abort(NOBODY);
        left.reject(signal.reason as Error);
      };
      signal.addEventListener("abort", leave, { once: true });
      try {
        return await Promise.race([result, left.promise]);
      } finally {
        signal.removeEventListener("abort", leave);
      }
    },
  };
}

/** Runs work, but only so much of it at once. Rejects with the signal's reason when the caller gives up waiting. */
export type Semaphore = <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>;

/** Takes in `most` at once; the others wait in the order in which they came. */
export function createSemaphore(most: number): Semaphore {
  const waiting = new Set<() => void>();
  let inside = 0;

  function turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        waiting.delete(enter);
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        waiting.delete(enter);
        reject(signal.reason as Error);
      };
      waiting.add(enter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  return async (signal, work) => {
    signal.throwIfAborted();
    // Whoever leaves hands the place on, so `inside` stays as it is.
    if (inside >= most) await turn(signal);
    else inside += 1;
    try {
      return await work();
    } finally {
      const [next] = waiting;
      if (next) next();
      else inside -= 1;
    }
  };
}
