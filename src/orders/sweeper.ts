import { StoreError } from "../errors.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Clock } from "../lib/clock.ts";
import type { Part } from "../lib/lifecycle.ts";
import { createPollLoop } from "../lib/poll-loop.ts";
import type { OrderEvents } from "./events.ts";

export interface SweeperOptions {
  ledger: Pick<Ledger, "sweep">;
  /** How long a finished order stays, milliseconds. */
  retentionMs: number;
  clock: Clock;
  events: Pick<OrderEvents, "ordersLoopFailed">;
}

const MINUTE_MS = 60_000;
/** Rows of one transaction: others wait for it. */
const BATCH = 500;
/** Rows a minute: the orders of 150 launches a second. */
const MOST_BATCHES = 20;

/** Deletes what has been kept long enough, once a minute. */
export function createSweeper({ ledger, retentionMs, clock, events }: SweeperOptions): Required<Part> {
  async function step(): Promise<number> {
    const now = clock.now();
    for (let i = 0; i < MOST_BATCHES; i++) {
      if ((await ledger.sweep({ before: now - retentionMs, now, limit: BATCH })) < BATCH) break;
    }
    return MINUTE_MS;
  }

  const failed = (error: unknown) => {
    // The ledger reports its own failures.
    if (!(error instanceof StoreError)) events.ordersLoopFailed({ error });
  };
  const loop = createPollLoop({ clock, step, retryMs: MINUTE_MS, failed });
  return {
    start: async () => loop.start(),
    stop: () => loop.stop(),
  };
}
