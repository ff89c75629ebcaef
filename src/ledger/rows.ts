import { DeliveryState } from "../../gen/faceverification/v1/delivery_admin_service_pb.ts";
import type { Row, Value } from "../database/database.ts";
import type { Delivery, EndpointHealth } from "./delivery-ledger.ts";
import type { KeptRequest, LedgerOrder, NewOrder, OrderEnd } from "./ledger.ts";

/** The columns of an order that are set when it is put, in the order of `newOrderValues`. */
export const NEW_ORDER =
  "register, order_no, user_id, reference, link_id, created_at, with_photo, livemode, due_at";

/** The columns that `orderOf` reads. */
export const ORDER = `order_no, user_id, reference, link_id, created_at, with_photo, livemode, due_at, state,
  attempts, quiet_since, ended_at, sequence, outcome`;

/** The columns that `deliveryOf` reads: of `faceid_deliveries d`, `faceid_endpoints e` and `faceid_orders o`. */
export const DELIVERY = `${ORDER.replaceAll(/\w+/g, "o.$&")}, e.name AS endpoint, d.state AS d_state,
  d.attempts AS d_attempts, d.queued_at AS d_queued_at, d.due_at AS d_due_at, d.tried_at AS d_tried_at,
  d.result AS d_result, d.replay AS d_replay`;

/** The columns that `healthOf` reads. */
export const HEALTH = "failures, resume_at, stopped_at";

export const newOrderValues = (register: number, order: NewOrder): Value[] => [
  register,
  order.orderNo,
  order.userId,
  order.reference,
  order.linkId,
  order.createdAt,
  Number(order.withPhoto),
  Number(order.livemode),
  order.dueAt,
];

/** What is kept of an end beside its state and time. */
export const outcomeOf = ({ judgement, evidence }: OrderEnd): string =>
  JSON.stringify({ judgement, evidence });

export function orderOf(row: Row): LedgerOrder {
  const state = Number(row["state"]);
  const ended = row["sequence"] !== null;
  return {
    orderNo: String(row["order_no"]),
    userId: String(row["user_id"]),
    reference: String(row["reference"]),
    linkId: String(row["link_id"]),
    createdAt: Number(row["created_at"]),
    withPhoto: row["with_photo"] === 1,
    livemode: row["livemode"] === 1,
    dueAt: Number(row["due_at"]),
    state: state as LedgerOrder["state"],
    attempts: Number(row["attempts"]),
    quietSince: optional(row["quiet_since"]),
    end: ended ? endOf(row, state) : undefined,
  };
}

function endOf(row: Row, state: number): LedgerOrder["end"] {
  const { judgement, evidence } = JSON.parse(String(row["outcome"])) as Pick<
    OrderEnd,
    "judgement" | "evidence"
  >;
  return {
    state: state as OrderEnd["state"],
    endedAt: Number(row["ended_at"]),
    sequence: Number(row["sequence"]),
    judgement,
    evidence,
  };
}

export const deliveryOf = (row: Row): Delivery => ({
  order: orderOf(row),
  endpoint: String(row["endpoint"]),
  sequence: Number(row["sequence"]),
  state: Number(row["d_state"]) as Delivery["state"],
  attempts: Number(row["d_attempts"]),
  queuedAt: Number(row["d_queued_at"]),
  dueAt: Number(row["d_due_at"]),
  triedAt: optional(row["d_tried_at"]),
  result: String(row["d_result"]),
  replay: row["d_replay"] === 1,
});

export const healthOf = (row: Row): EndpointHealth => ({
  failures: Number(row["failures"]),
  resumeAt: Number(row["resume_at"]),
  stoppedAt: optional(row["stopped_at"]),
});

export const requestOf = (row: Row): KeptRequest => ({
  key: String(row["request_key"]),
  print: String(row["print"]),
  response: String(row["response"]),
  expiresAt: Number(row["expires_at"]),
});

export const optional = (value: Value | undefined): number | undefined =>
  value === null || value === undefined ? undefined : Number(value);

export const { WAITING, DELIVERED, PARKED } = DeliveryState;
