let nextTurn: Promise<void> | undefined;

/**
 * Yields to the event loop, and resumes all callers of one turn together in the next, so that concurrent calls execute
 * each step back to back and share warm CPU caches; an idle process resumes at once.
 * perf: docs/performance.md#batching
 */
export function resumeTogether(): Promise<void> {
  nextTurn ??= new Promise((resolve) => {
    setImmediate(() => {
      nextTurn = undefined;
      resolve();
    });
  });
  return nextTurn;
}
