/** Wraps `work` so that calls made while it runs share that run instead of starting another. */
export function singleFlight<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}

/** Running work that several callers wait for. */
export interface SharedWork<T> {
  /** Settles as the work does, or rejects with the signal's reason if this caller aborts first. */
  join(signal: AbortSignal): Promise<T>;
}

/** Preallocated: a bare `abort()` captures a stack trace that nobody reads. */
const ABANDONED = new Error("nobody waits for it any more");

/** Starts the work. Its signal aborts only once every caller that joined has aborted. */
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
        if (waiting === 0) stop.abort(ABANDONED);
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

/** Runs work with limited concurrency. Rejects with the signal's reason if it aborts while waiting. */
export type Semaphore = <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>;

/** Admits `max` at once; others wait in order of arrival. */
export function createSemaphore(max: number): Semaphore {
  const waiting = new Set<() => void>();
  let inside = 0;

  function admission(signal: AbortSignal): Promise<void> {
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
    // Finished work passes its place on to the next, so `inside` is unchanged.
    if (inside >= max) await admission(signal);
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
