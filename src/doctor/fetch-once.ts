import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Part } from "../lib/lifecycle.ts";
import type { TicketEvents } from "../tickets/events.ts";
import type { TicketStore } from "../tickets/stores/store.ts";

export interface FetchOptions {
  /** Creates a coordinator, which takes the lease so that no other process refreshes meanwhile. */
  coordinate: (events: Partial<TicketEvents>) => Required<Part>;
  store: TicketStore;
  clock: Clock;
  timeoutMs: number;
}

/**
 * Runs a coordinator until a pair exists, its own or another process's. Resolves to the error, or undefined.
 */
export async function fetchOnce({ coordinate, store, clock, timeoutMs }: FetchOptions): Promise<unknown> {
  const ended = Promise.withResolvers<unknown>();
  const coordinator = coordinate({
    refreshFinished({ outcome, error }) {
      if (outcome !== "busy") ended.resolve(outcome === "ok" ? undefined : (error ?? new Error(outcome)));
    },
    pairAdopted({ own }) {
      // Our own pair does not count until it is in the store.
      if (!own) ended.resolve(undefined);
    },
  });
  try {
    await store.open();
    await coordinator.start();
    return await withDeadline(clock, timeoutMs, () => ended.promise);
  } catch (error) {
    return error;
  } finally {
    await coordinator.stop();
  }
}
