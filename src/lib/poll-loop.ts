import type { Clock } from "./clock.ts";

export interface PollLoopOptions {
  clock: Clock;
  /** Does the work due and returns the delay until the next step, milliseconds. */
  step: () => Promise<number>;
  /** Delay after a step that threw, milliseconds. */
  retryMs: number;
  /** Called with the error of a step that threw. */
  failed: (error: unknown) => void;
}

/** Runs steps, one at a time, until stopped. */
export interface PollLoop {
  start(): void;
  /** Starts the next step now, or right after the running one. */
  wake(): void;
  /** Reports an error from outside the steps. Never throws. */
  report(error: unknown): void;
  /** Stops once the running step is done. */
  stop(): Promise<void>;
  /** Time since a step last ended, successfully or not, milliseconds: reveals a hanging loop. */
  silentMs(): number;
}

/** Preallocated: a bare `abort()` captures a stack trace that nobody reads. */
const WOKEN = new Error("woken");

/** A loop that survives errors: whatever a step or the reporting of its error throws, the next step follows. */
export function createPollLoop({ clock, step, retryMs, failed }: PollLoopOptions): PollLoop {
  let [woken, stopping] = [false, false];
  let pause = new AbortController();
  let steppedAt = clock.monotonic();
  let running: Promise<void> | undefined;

  function report(error: unknown): void {
    try {
      failed(error);
    } catch {
      // Nothing left to report to.
    }
  }

  async function safely(): Promise<number> {
    try {
      return await step();
    } catch (error) {
      report(error);
      return retryMs;
    }
  }

  async function run(): Promise<void> {
    while (!stopping) {
      pause = new AbortController();
      woken = false;
      const delayMs = await safely();
      steppedAt = clock.monotonic();
      if (woken || stopping) continue;
      await clock.sleep(delayMs, pause.signal).catch(() => undefined);
    }
  }

  function wake(): void {
    woken = true;
    pause.abort(WOKEN);
  }

  return {
    start() {
      running ??= run();
    },
    wake,
    report,
    async stop() {
      stopping = true;
      wake();
      await running;
    },
    silentMs: () => clock.monotonic() - steppedAt,
  };
}
