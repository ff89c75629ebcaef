/** The listeners of one store handle (`TicketStore.watch`). */
export interface ChangeHints {
  /** Returns a function that ends it; to call that again does nothing. */
  watch(listener: () => void): () => void;
  /** Calls every listener in a later turn, so that a writer is never entered again by its own write. */
  fire(): void;
  /** Ends every watch, and those that are begun later. */
  close(): void;
}

/** `onFirst` and `onLast` are called when there begins and ceases to be anybody who listens. */
export function createChangeHints(onFirst?: () => void, onLast?: () => void): ChangeHints {
  const listeners = new Set<() => void>();
  let closed = false;

  return {
    watch(listener) {
      if (closed) return () => undefined;
      // A function of its own, so that the same listener given twice is two watches.
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
