import { StoreError } from "../errors.ts";
import { orAborted } from "../lib/deadline.ts";
import { isSilent, troubleOf } from "./trouble.ts";

/**
 * Tracks the outcome of the last connection attempt. The client itself only reports for every command that it
 * is offline, not why, and reports nothing before the first attempt has ended.
 */
export function createAttempts() {
  const first = Promise.withResolvers<void>();
  let attempted = false;
  let trouble: unknown;

  function settle(error: unknown): void {
    attempted = true;
    first.resolve();
    // A dropped connection does not explain why the next one fails: keep the previous cause.
    if (error === undefined || trouble === undefined || !isSilent(troubleOf(error))) trouble = error;
  }

  return {
    succeeded: () => settle(undefined),
    failed: (error: unknown) => settle(error),
    /** Runs a command once the first attempt has ended; a failure is a StoreError that names the cause. */
    async send(command: string[], signal: AbortSignal, run: () => Promise<unknown>): Promise<unknown> {
      try {
        if (!attempted) await orAborted(first.promise, signal);
        return await run();
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const code = troubleOf(error);
        throw new StoreError(command[0] ?? "", isSilent(code) && trouble ? troubleOf(trouble) : code, error);
      }
    },
  };
}
