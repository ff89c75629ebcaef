import type { TicketTimings } from "../domain/timings.ts";
import type { Processes } from "./processes.ts";
import type { Register, View } from "./register.ts";
import type { TicketEvents } from "./ticket-events.ts";

export interface LeaseWatchOptions {
  processes: Processes;
  register: Register;
  events: TicketEvents;
  timings: Pick<TicketTimings, "silenceMs">;
}

/**
 * Looks after the lease of another process of this machine: ends it when that process is dead for certain. Returns when
 * to look again, milliseconds; Infinity if nothing can be seen from here.
 */
export function createLeaseWatch({ processes, register, events, timings }: LeaseWatchOptions) {
  return async ({ state: { lease, granted } }: View): Promise<number> => {
    if (lease?.process === undefined || lease.process === processes.own) return Infinity;
    const dead = processes.isDead(lease.process);
    if (!dead) return dead === undefined ? Infinity : timings.silenceMs / 2;
    const { holder } = lease;
    const buried = await register.apply({ kind: "bury", holder, generation: granted }).catch(() => undefined);
    // A store that has just failed is not asked again at once.
    if (!buried) return Infinity;
    if (buried.status === "ok") events.refresherDied({ holder });
    return 0;
  };
}
