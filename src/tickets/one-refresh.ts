import type { Clock } from "../lib/clock.ts";
import type { RefreshOutcome } from "./events.ts";
import type { PollLoop } from "./poll-loop.ts";

export interface OneRefreshOptions {
  clock: Clock;
  loop: Pick<PollLoop, "wake" | "report">;
  /** How long a stop waits for a refresh under way, and what is called when that was not enough. */
  patienceMs: number;
  cutOff: () => void;
}

/** The refresh that this process makes, of which there is one at a time. */
export function createOneRefresh({ clock, loop, patienceMs, cutOff }: OneRefreshOptions) {
  let running: Promise<void> | undefined;

  return {
    get isRunning(): boolean {
      return running !== undefined;
    },

    /** Begins one; whatever it throws, the next can begin. Only when none is running. */
    begin(work: () => Promise<RefreshOutcome>): void {
      if (running) throw new Error("a refresh is under way");
      running = work()
        .catch((error: unknown): RefreshOutcome => {
          loop.report(error);
          return "store";
        })
        .then((outcome) => {
          running = undefined;
          // A store that has just failed is not asked again at once.
          if (outcome !== "store") loop.wake();
        });
    },

    /** Waits for the one under way, whose token would otherwise be lost. */
    async end(): Promise<void> {
      if (!running) return;
      const done = new AbortController();
      clock.sleep(patienceMs, done.signal).then(cutOff, () => undefined);
      await running;
      done.abort();
    },
  };
}
