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
