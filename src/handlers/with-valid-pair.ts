import { isRefusal } from "../domain/codes.ts";
import { UpstreamError } from "../errors.ts";
import type { TicketPair, TicketReader } from "../tickets/reader.ts";

/** The vendor's code if `error` is its refusal of a token, ticket or signature. */
function refusedCode(error: unknown): string | undefined {
  if (!(error instanceof UpstreamError) || error.entry === undefined) return undefined;
  return isRefusal(error.entry) ? error.entry.code : undefined;
}

/**
 * Runs `attempt` with the current pair. If the vendor refuses the pair, reports that and, if a newer pair
 * becomes available in time, retries once with it (ticket-cache.md 1, case 12). Tests prove our signatures
 * correct, so a refused signature means a dead ticket.
 */
export async function withValidPair<T>(
  tickets: TicketReader,
  signal: AbortSignal,
  attempt: (pair: TicketPair) => Promise<T>,
): Promise<T> {
  if (tickets.isStale()) await tickets.reread();
  const pair = tickets.current();
  try {
    const result = await attempt(pair);
    tickets.accepted(pair);
    return result;
  } catch (error) {
    const code = refusedCode(error);
    if (code === undefined) throw error;
    const renewed = await tickets.renewed(pair, code, signal);
    if (renewed === undefined) throw error;
    return await attempt(renewed);
  }
}
