import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { TicketEvents } from "./events.ts";
import type { Processes } from "./processes.ts";
import type { LeaseClaim } from "./protocol/operations.ts";
import type { SharedState, StateView } from "./shared-state.ts";

/** Preallocated: a bare `abort()` captures a stack trace that nobody reads. */
const DONE = new Error("done");

/** Renews the lease by regular beats while `work` runs; missing beats show others that this process is in trouble. */
export async function whileBeating<T>(
  {
    sharedState,
    clock,
    timings,
  }: { sharedState: SharedState; clock: Clock; timings: Pick<TicketTimings, "beatMs"> },
  mine: LeaseClaim,
  work: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();

  async function beat(): Promise<void> {
    for (;;) {
      await clock.sleep(timings.beatMs, done.signal);
      // The next beat makes up for a lost one; a holder that was superseded learns it from the commit.
      await sharedState.apply({ kind: "renew", ...mine }).catch(() => undefined);
    }
  }

  beat().catch(() => undefined);
  try {
    return await work();
  } finally {
    done.abort(DONE);
  }
}

export interface LeaseWatchOptions {
  processes: Processes;
  sharedState: SharedState;
  events: TicketEvents;
  timings: Pick<TicketTimings, "silenceMs">;
}

/**
 * Watches the lease of another process of this machine and ends it once that process is certainly dead. Returns the time
 * until the next check, milliseconds; Infinity if that process cannot be seen from here.
 */
export function createLeaseWatch({ processes, sharedState, events, timings }: LeaseWatchOptions) {
  return async ({ state: { lease, granted } }: StateView): Promise<number> => {
    if (lease?.process === undefined || lease.process === processes.own) return Infinity;
    const dead = processes.isDead(lease.process);
    if (!dead) return dead === undefined ? Infinity : timings.silenceMs / 2;
    const { holder } = lease;
    const buried = await sharedState
      .apply({ kind: "bury", holder, generation: granted })
      .catch(() => undefined);
    // The store has just failed: no retry at once.
    if (!buried) return Infinity;
    if (buried.status === "ok") events.refresherDied({ holder });
    return 0;
  };
}
