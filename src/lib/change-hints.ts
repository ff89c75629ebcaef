/** The listeners for changes of a store, by whichever process. */
export interface ChangeHints {
  /** Returns an idempotent function that ends the watch. */
  watch(listener: () => void): () => void;
  /** Calls every listener asynchronously, so that a writer is never re-entered by its own write. */
  fire(): void;
  /** Ends every watch; later ones never fire. */
  close(): void;
}

/** Calls `onFirst` when the first listener is added, `onLast` when the last one is removed. */
export function createChangeHints(onFirst?: () => void, onLast?: () => void): ChangeHints {
  const listeners = new Set<() => void>();
  let closed = false;

  return {
    watch(listener) {
      if (closed) return () => undefined;
      // A new function, so that the same listener passed twice makes two watches.
      const hint = () => {
        if (listeners.has(hint)) listener();
      };
      listeners.add(hint);
      if (listeners.size === 1) onFirst?.();
      return () => {
        if (listeners.delete(hint) && listeners.size === 0) onLast?.();
      };
    },
    fire() {
      for (const hint of listeners) queueMicrotask(hint);
    },
    close() {
      closed = true;
      listeners.clear();
    },
  };
}
