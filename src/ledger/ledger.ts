import type { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import type { Judgement } from "../domain/verdict.ts";
import type { DeliveryLedger } from "./delivery-ledger.ts";

/**
 * The ledger: every order from its launch to its end, and what became of its event at each endpoint. One contract over two
 * engines, with one suite (`test/ledger/ledger.contract.ts`).
 *
 * An order is its own job (`dueAt`, a lease) and its own event: one row, so no write can get lost between them. Every
 * write that follows a claim is fenced by the claim's token: a process that was frozen changes nothing when it wakes.
 *
 * Every method rejects with StoreError while the database is unreachable; a write may then have happened or not, and may be
 * repeated. Times are wall-clock milliseconds of the calling process.
 */
export interface Ledger extends OrderLedger, DeliveryLedger {
  /**
   * Connects and brings the schema up to date. Rejects with OperatorError for what only an operator can cure: a network
   * disk, a newer schema. An unreachable server is no such reason: it is retried, and the other methods reject meanwhile.
   */
  open(): Promise<void>;
  /** Waits for running operations. */
  close(): Promise<void>;
  /**
   * Calls `listener` soon after another process or this one has ended an order or queued deliveries, as a hint: hints may be
   * lost, duplicated or late. Returns a function that ends the watch.
   */
  watch(listener: () => void): () => void;
}

export interface OrderLedger {
  /** Writes orders in one transaction; repeating one has no effect. Durable once it resolves. */
  put(orders: readonly NewOrder[]): Promise<void>;
  /** Forgets orders that were never answered; no effect on one that has ended. */
  discard(orderNos: readonly string[]): Promise<void>;
  find(orderNo: string): Promise<LedgerOrder | undefined>;
  /** Newest first. */
  list(filter: OrderFilter, page: { size: number; after?: OrderCursor | undefined }): Promise<LedgerOrder[]>;
  /**
   * Leases up to `limit` orders that are due, for `leaseMs`: until then no other claim returns them. An order due later than
   * `horizonMs` from now was dated by a clock that ran ahead, and counts as due.
   */
  claim(claim: {
    token: string;
    now: number;
    limit: number;
    leaseMs: number;
    horizonMs: number;
  }): Promise<LedgerOrder[]>;
  /** Puts a claimed order back until `dueAt`; false if the lease was lost or the order has ended. */
  postpone(
    orderNo: string,
    token: string,
    next: { dueAt: number; quietSince?: number | undefined },
  ): Promise<boolean>;
  /**
   * Ends an order, once: outcome, event and a delivery to each of `endpoints` in one transaction. Resolves to the order as it
   * now is, which is another's end if that came first or if `token` has lost its lease; undefined if it is not in the
   * ledger. `token`: the claim's; left out, the end is unconditional, as for a caller's own look.
   */
  end(
    orderNo: string,
    end: OrderEnd,
    how: { token?: string | undefined; endpoints: readonly string[] },
  ): Promise<LedgerOrder | undefined>;
  /** Records what a request id stands for, until `expiresAt`. Repeating it has no effect. */
  keepRequest(request: KeptRequest): Promise<void>;
  findRequest(key: string, now: number): Promise<KeptRequest | undefined>;
  /**
   * Ended orders' sequences: `last` of the newest end; every event up to `swept` may be gone.
   */
  position(): Promise<{ last: number; swept: number }>;
  /** Ended orders after `sequence`, in sequence. */
  endedAfter(sequence: number, limit: number): Promise<LedgerOrder[]>;
  /** Deletes up to `limit` orders that ended before `before`, with their deliveries, and expired requests; the number deleted. */
  sweep(sweep: { before: number; now: number; limit: number }): Promise<number>;
  /** For the gauges. */
  counts(): Promise<{
    /** Orders without an end, and when the oldest of them was created. */
    open: number;
    oldestCreatedAt: number | undefined;
    /** When the order that has been due longest was due. */
    oldestDueAt: number | undefined;
  }>;
}

export interface NewOrder {
  orderNo: string;
  userId: string;
  /** The caller's own; "" for none. */
  reference: string;
  /** The verification link that it is an attempt of; "" for a launch of the app. */
  linkId: string;
  createdAt: number;
  withPhoto: boolean;
  livemode: boolean;
  /** When to look first. */
  dueAt: number;
}

export interface LedgerOrder extends NewOrder {
  state: OrderState;
  /** Looks begun. */
  attempts: number;
  /**
   * When the vendor first had no record although no capture could be under way any more; undefined if it has not been
   * asked since.
   */
  quietSince: number | undefined;
  /** Undefined while the state is CREATED. */
  end: (OrderEnd & { sequence: number }) | undefined;
}

/** How an order ended. */
export interface OrderEnd {
  state: typeof OrderState.COMPLETED | typeof OrderState.EXPIRED | typeof OrderState.UNKNOWN;
  endedAt: number;
  /** Undefined unless COMPLETED. */
  judgement: Judgement | undefined;
  evidence: Evidence;
}

/** What the vendor said beside the verdict (protocol.md 6.1). Kept as it came; never part of the verdict. */
export interface Evidence {
  /** "" if it never answered about this order. */
  code: string;
  bizSeqNo?: string | undefined;
  liveRate?: number | undefined;
  similarity?: number | undefined;
  occurredAt?: number | undefined;
  oriCode?: string | undefined;
  sdkVersion?: string | undefined;
  riskInfo?: Readonly<Record<string, string | undefined>> | undefined;
}

/** All given members must match. */
export interface OrderFilter {
  state?: OrderState | undefined;
  reference?: string | undefined;
  userId?: string | undefined;
  linkId?: string | undefined;
  createdSince?: number | undefined;
  createdBefore?: number | undefined;
}

/** The last order of a page: orders are sorted by both, newest first. */
export interface OrderCursor {
  createdAt: number;
  orderNo: string;
}

/** What a repeated request id is answered with (AIP-155). */
export interface KeptRequest {
  /** A hash of caller and request id. */
  key: string;
  /** A hash of the other parameters. */
  print: string;
  /** Sealed. */
  response: string;
  expiresAt: number;
}

/** The event's id, the same at every try, and even if a restored backup has to end an order again. */
export const eventIdOf = (orderNo: string): string => `evt_${orderNo}`;
