import { onAbort } from "../lib/deadline.ts";
import type { Secret } from "../lib/redacted.ts";
import type { TicketReader } from "../tickets/reader.ts";
import type { UpstreamClient } from "../upstream/client.ts";
import { createNonceSpacing, type NonceSpacingOptions } from "./nonce-spacing.ts";
import { withValidPair } from "./with-valid-pair.ts";

/** Lifetime of a faceId, milliseconds (protocol.md 4.3). */
export const FACE_ID_LIFE_MS = 5 * 60 * 1000;

export interface NonceTicketsOptions extends NonceSpacingOptions {
  tickets: TicketReader;
  upstream: Pick<UpstreamClient, "fetchNonceTicket">;
}

/** A ticket for one launch by one user; `expiresAt` on the monotonic clock. */
export interface NonceTicket {
  value: Secret;
  expiresAt: number;
}

/** Fetches a NONCE ticket for one launch, when it is this user's turn. Rejects as `NonceSpacing` does. */
export function createNonceTickets(options: NonceTicketsOptions) {
  const { tickets, upstream, clock } = options;
  const spaced = createNonceSpacing(options);

  function fetchTicket(userId: string, signal: AbortSignal): Promise<NonceTicket> {
    return withValidPair(tickets, signal, async (pair) => {
      const sentAt = clock.monotonic();
      const { value, lifeMs } = await upstream.fetchNonceTicket(pair.accessToken, userId, signal);
      // The ticket dies with its token, which survives the next rotation by one overlap.
      return { value, expiresAt: Math.min(sentAt + lifeMs, tickets.safeUntil(pair)) };
    });
  }

  return (userId: string, signal: AbortSignal): Promise<NonceTicket> =>
    spaced(userId, signal, () => fetchTicket(userId, signal));
}

/** Runs both in parallel; if one fails, cancels the other and throws the first failure. */
export async function bothOrNeither<A, B>(
  outer: AbortSignal,
  first: (signal: AbortSignal) => Promise<A>,
  second: (signal: AbortSignal) => Promise<B>,
): Promise<[A, B]> {
  const both = new AbortController();
  const { signal } = both;
  const release = onAbort(outer, (reason) => both.abort(reason));
  try {
    return await Promise.all([first(signal), second(signal)]);
  } catch (error) {
    both.abort(error);
    throw error;
  } finally {
    release();
  }
}
