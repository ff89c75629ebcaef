import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { Call } from "../calls/call.ts";
import { codeEntry } from "../domain/codes.ts";
import type { OrderCertificate, OrderNumbers } from "../domain/order-number.ts";
import { type Judgement, judge } from "../domain/verdict.ts";
import { UpstreamError } from "../errors.ts";
import type { Evidence, LedgerOrder, OrderEnd } from "../ledger/ledger.ts";
import type { Clock } from "../lib/clock.ts";
import type { Orders } from "../orders/orders.ts";
import type { QueryOrder } from "./query-order.ts";

export interface ReadOutcomeOptions {
  orderNumbers: Pick<OrderNumbers, "certify">;
  queryOrder: QueryOrder;
  orders: Pick<Orders, "find" | "judged">;
  clock: Clock;
}

/** What is known of an attempt: a judgement, and what the vendor said beside it. */
export interface Outcome {
  judgement: Judgement;
  evidence: Evidence;
}

/** Reads the outcome of orders. */
export interface OutcomeReader {
  /**
   * The end of the order in the ledger, or else one query, whose code decides the verdict; it also ends the order in the
   * ledger. Also resolves to the order, if it is in the ledger. Rejects as `QueryOrder` does. `certificate`: the number's, if
   * the caller has it already.
   */
  read(
    orderNo: string,
    call: Pick<Call, "signal" | "note">,
    certificate?: OrderCertificate,
  ): Promise<Outcome & { order: LedgerOrder | undefined }>;
  /** The end of the order in the ledger; undefined if it has none there. Never asks the vendor, and never rejects. */
  recorded(orderNo: string): Promise<Outcome | undefined>;
}

export function createOutcomeReader(options: ReadOutcomeOptions): OutcomeReader {
  const { orderNumbers, queryOrder, orders, clock } = options;

  /** Asks the vendor; its verdict also ends the order in the ledger, unless that has another end, which stands. */
  async function look(
    orderNo: string,
    { createdAt, withPhoto }: Partial<Pick<LedgerOrder, "createdAt" | "withPhoto">>,
    { signal, note }: Pick<Call, "signal" | "note">,
  ): Promise<Outcome> {
    const { entry, evidence, unreadable } = await queryOrder(orderNo, { signal });
    if (unreadable.length > 0) note({ unreadable });
    const judgement = judge(entry, createdAt && clock.now() - createdAt, withPhoto);
    if ("error" in judgement)
      throw new UpstreamError("query", "code", { entry, bizSeqNo: evidence.bizSeqNo });
    const judged = judgement.verdict !== Verdict.NOT_COMPLETED;
    const standing = judged ? await orders.judged(orderNo, judgement, evidence) : undefined;
    return outcomeOf(standing) ?? { judgement, evidence };
  }

  return {
    async read(orderNo, call, certificate = orderNumbers.certify(orderNo)) {
      const order = await orders.find(orderNo);
      const minted = certificate && { createdAt: certificate.mintedAt, withPhoto: certificate.withPhoto };
      const outcome = outcomeOf(order?.end) ?? (await look(orderNo, order ?? minted ?? {}, call));
      return { ...outcome, order };
    },
    recorded: async (orderNo) => outcomeOf((await orders.find(orderNo))?.end),
  };
}

/** What an end in the ledger says; undefined if it says nothing, so that only the vendor can be asked. */
function outcomeOf(end: OrderEnd | undefined): Outcome | undefined {
  if (!end || end.state === OrderState.UNKNOWN) return undefined;
  // EXPIRED is the vendor's own "no record", and now final.
  const judgement = end.judgement ?? judge(codeEntry(end.evidence.code), undefined);
  return "error" in judgement ? undefined : { judgement, evidence: end.evidence };
}
