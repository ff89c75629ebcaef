import type { Judgement } from "../domain/verdict.ts";
import { ErrorReason, ServiceError } from "../errors.ts";
import type {
  Evidence,
  LedgerOrder,
  NewOrder,
  OrderCursor,
  OrderEnd,
  OrderFilter,
} from "../ledger/ledger.ts";

/** The ledger as handlers see it. None of it but `list` ever fails a call, or delays one for long. */
export interface Orders {
  /** Begins a launch. */
  begin(): LaunchRecord;
  /** Undefined also while the ledger is unreachable. */
  find(orderNo: string): Promise<LedgerOrder | undefined>;
  /**
   * Ends an order by a caller's look. Resolves to the end that stands, as far as is known by then: this one, or the one that
   * the order already had.
   */
  judged(orderNo: string, judgement: Judgement, evidence: Evidence): Promise<OrderEnd | undefined>;
  /** Newest first. Throws ServiceError NO_LEDGER or LEDGER_UNAVAILABLE. */
  list(filter: OrderFilter, page: { size: number; after: OrderCursor | undefined }): Promise<LedgerOrder[]>;
  requests: RequestIds;
}

/** What the ledger will know of one launch. */
export interface LaunchRecord {
  /** The launch goes by this order number of our own, instead of any before: nothing else can have it. */
  minted(order: LaunchedOrder): void;
  /** The launch has been accepted under this order number of the caller's own. */
  accepted(order: LaunchedOrder): void;
  /** Resolves once the order is in the ledger, or after a moment: the launch may be answered. Never rejects. */
  durable(): Promise<void>;
  /** The launch failed. */
  discard(): void;
}

/** It is created now. */
export type LaunchedOrder = Omit<NewOrder, "createdAt" | "livemode" | "dueAt">;

/** What request ids stand for, for a day (AIP-155). `id` may name a caller: the ledger hides it. */
export interface RequestIds {
  /** Undefined also while the ledger is unreachable. */
  find(id: string): Promise<AnsweredRequest | undefined>;
  keep(id: string, answered: AnsweredRequest): Promise<void>;
}

export interface AnsweredRequest {
  /** A hash of the request's other parameters. */
  print: string;
  /** The launch, as text; the ledger seals it. */
  response: string;
}

const nothing = async () => undefined;
const UNRECORDED: LaunchRecord = {
  minted: () => undefined,
  accepted: () => undefined,
  durable: nothing,
  discard: () => undefined,
};

/** Without a ledger. */
export const NO_ORDERS: Orders = {
  begin: () => UNRECORDED,
  find: nothing,
  judged: nothing,
  async list() {
    throw new ServiceError(ErrorReason.NO_LEDGER, "LEDGER_URL is not set");
  },
  requests: { find: nothing, keep: nothing },
};

/** Orders of a room that is opened after the handlers. */
export const forwardOrders = (current: () => Orders): Orders => ({
  begin: () => current().begin(),
  find: (...args) => current().find(...args),
  judged: (...args) => current().judged(...args),
  list: (...args) => current().list(...args),
  requests: {
    find: (...args) => current().requests.find(...args),
    keep: (...args) => current().requests.keep(...args),
  },
});
