import { create, toJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type OrderEvent, OrderEventSchema, OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import type { LedgerOrder, OrderEnd } from "../ledger/ledger.ts";

const TYPES = {
  [OrderState.COMPLETED]: "order.completed",
  [OrderState.EXPIRED]: "order.expired",
  [OrderState.UNKNOWN]: "order.unknown",
} satisfies Record<OrderEnd["state"], string>;

/** The type of the event that an order ends with. */
export const eventTypeOf = ({ state }: Pick<OrderEnd, "state">): string => TYPES[state];

/** The event of an ended order: the same however often it is made. */
export function eventOf(
  { orderNo, userId, reference, linkId, livemode }: LedgerOrder,
  end: OrderEnd & { sequence: number },
  appId: string,
): OrderEvent {
  const { code, liveRate, similarity, occurredAt } = end.evidence;
  return create(OrderEventSchema, {
    type: eventTypeOf(end),
    timestamp: timestampFromMs(end.endedAt),
    data: {
      orderNo,
      appId,
      reference,
      userId,
      state: end.state,
      ...end.judgement,
      code,
      ...(liveRate !== undefined && { liveRate }),
      ...(similarity !== undefined && { similarity }),
      ...(occurredAt !== undefined && { occurredAt: timestampFromMs(occurredAt) }),
      livemode,
      sequence: end.sequence,
      linkId,
    },
  });
}

/** The body of a webhook: ProtoJSON with the proto's field names, and every fact that is false or zero. */
export const bodyOf = (event: OrderEvent): string =>
  JSON.stringify(toJson(OrderEventSchema, event, { useProtoFieldName: true, alwaysEmitImplicit: true }));
