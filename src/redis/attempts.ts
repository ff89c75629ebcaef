import { StoreError } from "../errors.ts";
import { orAborted } from "../lib/deadline.ts";
import { isSilent, troubleOf } from "./trouble.ts";

/**
 * What became of the last attempt to connect. The client itself says of every command that it is offline, and nothing of
 * why; and it has nothing to say before the first attempt has ended.
 */
export function createAttempts() {
  const first = Promise.withResolvers<void>();
  let began = false;
  let trouble: unknown;

  function settle(error: unknown): void {
    began = true;
    first.resolve();
    // A line that is cut says nothing of why the one after it does not come to be.
    if (error === undefined || trouble === undefined || !isSilent(troubleOf(error))) trouble = error;
  }

  return {
    succeeded: () => settle(undefined),
    failed: (error: unknown) => settle(error),
    /** Runs a command after the first attempt; its failure is a StoreError that names the cause. */
    async send(command: string[], signal: AbortSignal, run: () => Promise<unknown>): Promise<unknown> {
      try {
        if (!began) await orAborted(first.promise, signal);
        return await run();
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const code = troubleOf(error);
        throw new StoreError(command[0] ?? "", isSilent(code) && trouble ? troubleOf(trouble) : code, error);
      }
    },
  };
}
