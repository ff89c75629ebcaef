import type { CodeEntry } from "../domain/codes.ts";
import { type BrokenOff, type UpstreamEndpoint, UpstreamError } from "../errors.ts";
import { type Reply, readReply } from "./reply.ts";
import type { Exchange, Transport } from "./transport.ts";

/** What may be told of an answer. */
export interface ExchangeOutcome {
  entry: CodeEntry;
  bizSeqNo: string | undefined;
  /** When the vendor wrote it, whole seconds as milliseconds since the Unix epoch. */
  writtenAt: () => number | undefined;
}

/**
 * Watches one exchange with the vendor: called when it begins. What it returns is called when the exchange ends, with
 * the answer, if there was one, and the failure, if it failed: an UpstreamError, or the reason of the caller's signal.
 */
export type ObserveExchange = (
  endpoint: UpstreamEndpoint,
) => (told: ExchangeOutcome | undefined, failure: unknown) => void;

/** Watches nothing. */
export const unobserved: ObserveExchange = () => () => undefined;

/** Performs an exchange and resolves to what `read` makes of the answer. Rejects as transport, `readReply` and `read` do. */
export type ObservedExchange = <T>(exchange: Exchange, read: (reply: Reply) => T) => Promise<T>;

/**
 * What is asked once more, over a connection of its own, after the vendor has closed the one it was sent on. A query changes
 * nothing, and of two NONCE tickets one is thrown away; an upload must certainly not have been read. Never what rotates.
 */
const ASKED_AGAIN: Readonly<Partial<Record<Exchange["endpoint"], readonly BrokenOff[]>>> = {
  nonce_ticket: ["unwritten", "unanswered"],
  query: ["unwritten", "unanswered"],
  upload: ["unwritten"],
};

/** Exchanges that are watched, each from its start until `read` has made sense of the answer. */
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
      if (!mayBeAskedAgain(exchange, error)) throw error;
      return once({ ...exchange, fresh: true }, read);
    }
  };
}

function mayBeAskedAgain({ endpoint }: Exchange, error: unknown): boolean {
  if (!(error instanceof UpstreamError) || error.brokenOff === undefined) return false;
  return ASKED_AGAIN[endpoint]?.includes(error.brokenOff) ?? false;
}
