import type { Clock } from "../lib/clock.ts";
import type { PollLoop } from "../lib/poll-loop.ts";
import type { RefreshOutcome } from "./events.ts";

export interface OneRefreshOptions {
  clock: Clock;
  loop: Pick<PollLoop, "wake" | "report">;
  /** How long a stop waits for a running refresh, milliseconds, and what it calls if that was not enough. */
  patienceMs: number;
  cutOff: () => void;
}

/** This process's refresh; at most one runs at a time. */
export function createOneRefresh({ clock, loop, patienceMs, cutOff }: OneRefreshOptions) {
  let running: Promise<void> | undefined;

  return {
    get isRunning(): boolean {
      return running !== undefined;
    },

    /** Starts one; throws if one is running. An error from `work` is reported and does not block the next. */
    begin(work: () => Promise<RefreshOutcome>): void {
      if (running) throw new Error("a refresh is under way");
      running = work()
        .catch((error: unknown): RefreshOutcome => {
          loop.report(error);
          return "store";
        })
        .then((outcome) => {
          running = undefined;
          // Not after a store failure: the store would be polled again at once.
          if (outcome !== "store") loop.wake();
        });
    },

    /** Waits for the running one, whose token would otherwise be lost. */
    async end(): Promise<void> {
      if (!running) return;
      const done = new AbortController();
      clock.sleep(patienceMs, done.signal).then(cutOff, () => undefined);
      await running;
      done.abort();
    },
  };
}
