import type { TicketReader } from "../tickets/reader.ts";
import type { TicketSnapshot } from "./ticket-metrics.ts";

/** What the gauges tell of the ticket cache. The one place to plug in what else the coordinator knows. */
export function ticketSnapshot(tickets: TicketReader): TicketSnapshot {
  try {
    const { generation } = tickets.current();
    return { generation, usable: true };
  } catch {
    return { generation: 0, usable: false };
  }
}
