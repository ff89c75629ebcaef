/** A component with a lifetime. `stop` may be called after a failed or missing `start`. */
export interface Part {
  start?(): Promise<void>;
  stop?(): Promise<void>;
}

/** Parts started in order and stopped concurrently; once all have stopped, the first failure is thrown. */
export function together(parts: readonly Part[]): Part {
  return {
    async start() {
      for (const part of parts) await part.start?.();
    },
    async stop() {
      const results = await Promise.allSettled(parts.map(async (part) => part.stop?.()));
      const failed = results.find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
    },
  };
}

/**
 * Parts started in order and stopped in reverse. A failed start stops the parts already started and rethrows;
 * `stop` is idempotent, stops every part even if another fails, and then throws the first failure.
 */
export function createLifecycle(parts: readonly Part[]): Required<Part> {
  const started: Part[] = [];
  let stopping: Promise<void> | undefined;

  async function stopAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let part = started.pop(); part; part = started.pop()) {
      await part.stop?.().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  return {
    async start() {
      try {
        for (const part of parts) {
          started.push(part);
          await part.start?.();
        }
      } catch (error) {
        await stopAll().catch(() => undefined);
        throw error;
      }
    },
    stop() {
      stopping ??= stopAll();
      return stopping;
    },
  };
}
