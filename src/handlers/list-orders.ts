import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type ListOrdersRequest,
  type ListOrdersResponse,
  ListOrdersResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { type Order, OrderSchema, OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import type { Handler } from "../calls/call.ts";
import { ErrorReason, invalidRequest, ServiceError } from "../errors.ts";
import type { LedgerOrder, OrderCursor, OrderFilter } from "../ledger/ledger.ts";
import { fromBase62, toBase62 } from "../lib/base62.ts";
import type { Orders } from "../orders/orders.ts";
import { readPage } from "./page.ts";

/** What a JavaScript date can be, milliseconds; a Timestamp of protobuf may lie outside. */
const LAST_MS = 8.64e15;

/** ListOrders: pages of the ledger, for internal callers (AIP-132, AIP-158). */
export function createListOrders({
  orders,
}: {
  orders: Pick<Orders, "list">;
}): Handler<ListOrdersRequest, ListOrdersResponse> {
  return async (request, { caller }) => {
    if (!caller.internal) {
      throw new ServiceError(ErrorReason.PERMISSION_DENIED, "orders are listed for internal callers only");
    }
    const filter = filterOf(request);
    const after = request.pageToken === "" ? undefined : readToken(request.pageToken, filter);
    const { entries, last } = await readPage(request.pageSize, (size) =>
      orders.list(filter, { size, after }),
    );
    return create(ListOrdersResponseSchema, {
      orders: entries.map(orderOf),
      nextPageToken: last ? writeToken(last, filter) : "",
    });
  };
}

function filterOf(request: ListOrdersRequest): OrderFilter {
  const { state, reference, userId, linkId, createdSince, createdBefore } = request;
  return {
    state: state === OrderState.UNSPECIFIED ? undefined : state,
    reference: reference || undefined,
    userId: userId || undefined,
    linkId: linkId || undefined,
    createdSince: createdSince && millisecondsOf(createdSince),
    createdBefore: createdBefore && millisecondsOf(createdBefore),
  };
}

const millisecondsOf = (time: Timestamp) => Math.max(-LAST_MS, Math.min(LAST_MS, timestampMs(time)));

function orderOf({ end, ...order }: LedgerOrder): Order {
  const { orderNo, userId, reference, linkId, state, createdAt, livemode } = order;
  const { code = "", liveRate, similarity, occurredAt } = end?.evidence ?? {};
  return create(OrderSchema, {
    orderNo,
    userId,
    reference,
    state,
    createTime: timestampFromMs(createdAt),
    ...(end && { endTime: timestampFromMs(end.endedAt) }),
    ...end?.judgement,
    code,
    ...(liveRate !== undefined && { liveRate }),
    ...(similarity !== undefined && { similarity }),
    ...(occurredAt !== undefined && { occurredAt: timestampFromMs(occurredAt) }),
    livemode,
    linkId,
  });
}

const TIME = 9;

/** `<check><createdAt><orderNo>` in letters and digits; the check binds it to the filter. */
function writeToken({ createdAt, orderNo }: OrderCursor, filter: OrderFilter): string {
  const cursor = toBase62(createdAt, TIME) + orderNo;
  return checkOf(cursor, filter) + cursor;
}

function readToken(token: string, filter: OrderFilter): OrderCursor {
  const [check, cursor] = [token.slice(0, CHECK), token.slice(CHECK)];
  if (check !== checkOf(cursor, filter)) {
    throw invalidRequest([{ field: "page_token", rule: "page_token.unknown" }]);
  }
  return { createdAt: fromBase62(cursor.slice(0, TIME)), orderNo: cursor.slice(TIME) };
}

const CHECK = 16;

/** Against mistakes, not against internal callers, who may read every page anyway. */
function checkOf(
  cursor: string,
  { state, reference, userId, linkId, createdSince, createdBefore }: OrderFilter,
): string {
  const bound = JSON.stringify([cursor, state, reference, userId, linkId, createdSince, createdBefore]);
  return createHash("sha256").update(bound).digest("hex").slice(0, CHECK);
}
