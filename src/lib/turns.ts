/** Runs work, but only so much of it at once. Rejects with the signal's reason when the caller gives up waiting. */
export type Turns = <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>;

/** Takes in `most` at once; the others wait in the order in which they came. */
export function createTurns(most: number): Turns {
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
