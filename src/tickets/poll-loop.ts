import type { Clock } from "../lib/clock.ts";

export interface PollLoopOptions {
  clock: Clock;
  /** Does what there is to do, and returns how long there will be nothing, milliseconds. */
  step: () => Promise<number>;
  /** The rest after a step that threw, milliseconds. */
  retryMs: number;
  /** Told of what a step threw. */
  failed: (error: unknown) => void;
}

/** Steps, one at a time, until it is stopped. */
export interface PollLoop {
  start(): void;
  /** Ends the rest before the next step, or has one more step follow the one under way. */
  wake(): void;
  /** Tells of an error outside the steps. Never throws. */
  report(error: unknown): void;
  /** Ends it once the step under way is done. */
  stop(): Promise<void>;
  /** Time since a step last ended, well or badly, milliseconds: tells a loop that hangs. */
  silentMs(): number;
}

/** A ready-made reason to end a sleep. */
const WOKEN = new Error("woken");

/** A loop that ends with the process only: whatever a step throws, and whatever telling of it throws, there is a next one. */
export function createPollLoop({ clock, step, retryMs, failed }: PollLoopOptions): PollLoop {
  let [hinted, stopping] = [false, false];
  let rest = new AbortController();
  let steppedAt = clock.monotonic();
  let running: Promise<void> | undefined;

  function report(error: unknown): void {
    try {
      failed(error);
    } catch {
      // There is nobody left to tell.
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
      rest = new AbortController();
      hinted = false;
      const restMs = await safely();
      steppedAt = clock.monotonic();
      if (hinted || stopping) continue;
      await clock.sleep(restMs, rest.signal).catch(() => undefined);
    }
  }

  function wake(): void {
    hinted = true;
    rest.abort(WOKEN);
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
