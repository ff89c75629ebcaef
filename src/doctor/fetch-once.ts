import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Part } from "../lib/lifecycle.ts";
import type { TicketEvents } from "../tickets/events.ts";
import type { TicketStore } from "../tickets/stores/store.ts";

export interface FetchOptions {
  /** A coordinator as every process has one: it takes the lease, so that nobody else refreshes meanwhile. Tells the events that are listened to. */
  coordinate: (events: Partial<TicketEvents>) => Required<Part>;
  store: TicketStore;
  clock: Clock;
  patienceMs: number;
}

/** Runs a coordinator until there is a pair, its own or another's. Resolves to what failed; undefined when nothing did. */
export async function fetchOnce({ coordinate, store, clock, patienceMs }: FetchOptions): Promise<unknown> {
  const ended = Promise.withResolvers<unknown>();
  const coordinator = coordinate({
    refreshFinished({ outcome, error }) {
      if (outcome !== "busy") ended.resolve(outcome === "ok" ? undefined : (error ?? new Error(outcome)));
    },
    pairAdopted({ own }) {
      // Ours is worth nothing before it is in the store.
      if (!own) ended.resolve(undefined);
    },
  });
  try {
    await store.open();
    await coordinator.start();
    return await withDeadline(clock, patienceMs, () => ended.promise);
  } catch (error) {
    return error;
  } finally {
    await coordinator.stop();
  }
}
