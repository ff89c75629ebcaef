import type { CodeEntry } from "../domain/codes.ts";
import { type BrokenOff, type UpstreamEndpoint, UpstreamError } from "../errors.ts";
import { type Reply, readReply } from "./reply.ts";
import type { Exchange, Transport } from "./transport.ts";

/** The part of a response that may be reported. */
export interface ExchangeOutcome {
  entry: CodeEntry;
  bizSeqNo: string | undefined;
  /** When the vendor wrote it: whole seconds, in milliseconds since the Unix epoch. */
  writtenAt: () => number | undefined;
}

/**
 * Observes one exchange with the vendor; returns the function to call when it ends, with the response, if
 * there was one, and the failure, if it failed: an UpstreamError, or the reason of the caller's signal.
 */
export type ObserveExchange = (
  endpoint: UpstreamEndpoint,
) => (outcome: ExchangeOutcome | undefined, failure: unknown) => void;

/** Observes nothing. */
export const unobserved: ObserveExchange = () => () => undefined;

/**
 * Performs an exchange and resolves to the result of `read` on the reply. Rejects as transport, `readReply`
 * and `read` do.
 */
export type ObservedExchange = <T>(exchange: Exchange, read: (reply: Reply) => T) => Promise<T>;

/**
 * Calls retried once, over a new connection, after the vendor closed the one they were sent on. A query
 * changes nothing, and a superfluous NONCE ticket is discarded; an upload must certainly not have been read.
 * Never a call that rotates.
 */
const RETRIED: Readonly<Partial<Record<Exchange["endpoint"], readonly BrokenOff[]>>> = {
  nonce_ticket: ["unwritten", "unanswered"],
  query: ["unwritten", "unanswered"],
  upload: ["unwritten"],
};

/** Wraps the transport so that each exchange is observed from its start until `read` has returned. */
export function createObservedExchange(transport: Transport, observe: ObserveExchange): ObservedExchange {
  async function once<T>(exchange: Exchange, read: (reply: Reply) => T): Promise<T> {
    const { endpoint } = exchange;
    const ended = observe(endpoint);
    let reply: Reply | undefined;
    let failure: unknown;
    try {
      reply = readReply(endpoint, await transport(exchange));
      return read(reply);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      ended(reply, failure);
    }
  }

  return async (exchange, read) => {
    try {
      return await once(exchange, read);
    } catch (error) {
      if (!mayRetry(exchange, error)) throw error;
      return once({ ...exchange, fresh: true }, read);
    }
  };
}

function mayRetry({ endpoint }: Exchange, error: unknown): boolean {
  if (!(error instanceof UpstreamError) || error.brokenOff === undefined) return false;
  return RETRIED[endpoint]?.includes(error.brokenOff) ?? false;
}
