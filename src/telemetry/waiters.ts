import type { TicketReader } from "../tickets/reader.ts";

/** The same reader, which also knows how many calls wait for a newer pair. */
export function countWaiters(tickets: TicketReader): TicketReader & { waiters(): number } {
  let waiters = 0;
  return {
    ...tickets,
    async renewed(...report) {
      waiters++;
      try {
        return await tickets.renewed(...report);
      } finally {
        waiters--;
      }
    },
    waiters: () => waiters,
  };
}
