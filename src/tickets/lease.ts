import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { TicketEvents } from "./events.ts";
import type { Processes } from "./processes.ts";
import type { LeaseClaim } from "./protocol/operations.ts";
import type { SharedState, StateView } from "./shared-state.ts";

/** A ready-made reason to end a sleep. */
const DONE = new Error("done");

/** Renews the lease again and again while `work` runs: a beat that is missing says that this process is in trouble. */
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
      // One that is lost is made good by the next; who was overtaken learns it from the commit.
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
 * Looks after the lease of another process of this machine: ends it when that process is dead for certain. Returns when
 * to look again, milliseconds; Infinity if nothing can be seen from here.
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
    // A store that has just failed is not asked again at once.
    if (!buried) return Infinity;
    if (buried.status === "ok") events.refresherDied({ holder });
    return 0;
  };
}
