import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import { enumName } from "../domain/verdict.ts";
import type { Ledger, OrderEnd } from "../ledger/ledger.ts";
import type { OrderEvents } from "./events.ts";

export interface EndOrderOptions {
  ledger: Pick<Ledger, "end">;
  /** The names of the webhook endpoints: each gets the event. */
  endpoints: readonly string[];
  events: Pick<OrderEvents, "orderEnded" | "orderContradicted">;
}

/**
 * Ends an order in the ledger and reports it. Resolves to the end that stands, which is another's if that came first;
 * undefined if the order is not in the ledger, or if `token` has lost it. Rejects with StoreError.
 */
export type EndOrder = (
  orderNo: string,
  end: OrderEnd,
  how: { by: "caller" | "collector"; token?: string },
) => Promise<OrderEnd | undefined>;

export function createEndOrder({ ledger, endpoints, events }: EndOrderOptions): EndOrder {
  return async (orderNo, end, { by, token }) => {
    const order = await ledger.end(orderNo, end, { token, endpoints });
    const standing = order?.end;
    if (!standing) return undefined;
    if (isSame(standing, end)) {
      const verdict = end.judgement ? verdictName(end) : "";
      const ageMs = end.endedAt - order.createdAt;
      events.orderEnded({ orderNo, state: stateName(end), verdict, by, ageMs });
    } else if (end.judgement && verdictName(standing) !== verdictName(end)) {
      events.orderContradicted({ orderNo, kept: verdictName(standing), answered: verdictName(end) });
    }
    return standing;
  };
}

/** No two queries share the vendor's serial number. */
const isSame = (standing: OrderEnd, end: OrderEnd) =>
  standing.state === end.state &&
  standing.endedAt === end.endedAt &&
  standing.evidence.bizSeqNo === end.evidence.bizSeqNo;

const STATES = {
  [OrderState.COMPLETED]: "COMPLETED",
  [OrderState.EXPIRED]: "EXPIRED",
  [OrderState.UNKNOWN]: "UNKNOWN",
} as const;
const stateName = ({ state }: OrderEnd) => STATES[state];

/** The verdict's name, or the state's if there is none. */
function verdictName(end: OrderEnd): string {
  const verdict = end.judgement?.verdict;
  return verdict === undefined ? stateName(end) : enumName(Verdict, verdict);
}
