import { type CodeEntry, isRefusal } from "../domain/codes.ts";
import { UpstreamError } from "../errors.ts";
import type { Evidence } from "../ledger/ledger.ts";
import type { TicketReader } from "../tickets/reader.ts";
import type { QueryResult, UpstreamClient } from "../upstream/client.ts";
import type { Signer } from "../upstream/signer.ts";
import { withValidPair } from "./with-valid-pair.ts";

export interface QueryOrderOptions {
  signer: Pick<Signer, "query">;
  createNonce: () => string;
  tickets: TicketReader;
  query: UpstreamClient["query"];
}

/** The vendor's answer about an order, and what it said beside its code. */
export interface OrderAnswer extends Pick<QueryResult, "photo" | "video" | "unreadable"> {
  entry: CodeEntry;
  evidence: Evidence;
}

/** Asks the vendor about an order, with its files if `media` is set. Rejects as `UpstreamClient.query` does. */
export type QueryOrder = (
  orderNo: string,
  how: { media?: boolean; signal: AbortSignal },
) => Promise<OrderAnswer>;

/** One signed query with a pair that the vendor accepts. */
export function createQueryOrder({ signer, createNonce, tickets, query }: QueryOrderOptions): QueryOrder {
  return async (orderNo, { media = false, signal }) => {
    const result = await withValidPair(tickets, signal, async (pair) => {
      const nonce = createNonce();
      const sign = signer.query({ orderNo, nonce }, pair.signTicket);
      const answered = await query({ orderNo, nonce, sign, media }, signal);
      if (isRefusal(answered.entry)) throw new UpstreamError("query", "code", answered);
      return answered;
    });
    const { entry, photo, video, unreadable, ...said } = result;
    return { entry, photo, video, unreadable, evidence: { code: entry.code, ...said } };
  };
}
