import type { DeliveryState } from "../../gen/faceverification/v1/delivery_admin_service_pb.ts";
import type { LedgerOrder } from "./ledger.ts";

/**
 * Deliveries of events to webhook endpoints. One process at a time sends to an endpoint, under a lease on the endpoint
 * itself, so that it is sent to in sequence and its health has one judge.
 */
export interface DeliveryLedger {
  /**
   * Takes the endpoint for `token` until `now + leaseMs`, or extends the lease; undefined while another token has it. A lease
   * that ends later than `horizonMs` from now was dated by a clock that ran ahead, and counts as over.
   */
  leaseEndpoint(lease: {
    endpoint: string;
    token: string;
    now: number;
    leaseMs: number;
    horizonMs: number;
  }): Promise<EndpointHealth | undefined>;
  /** Gives the lease back, if `token` still has it. */
  releaseEndpoint(endpoint: string, token: string): Promise<void>;
  /** The first deliveries of the endpoint that are due at `now` (or later than `horizonMs` from it), in sequence. */
  dueDeliveries(due: {
    endpoint: string;
    now: number;
    limit: number;
    horizonMs: number;
  }): Promise<Delivery[]>;
  /** When the next of the endpoint's deliveries is due; undefined if none is waiting. */
  nextDueAt(endpoint: string): Promise<number | undefined>;
  /**
   * Records how a delivery was tried, and the endpoint's health after it, in one transaction; false, and nothing is
   * changed, if `token` has lost the endpoint.
   */
  settle(settled: {
    endpoint: string;
    token: string;
    sequence: number;
    delivery: Pick<Delivery, "state" | "attempts" | "dueAt" | "triedAt" | "result" | "replay">;
    /** Undefined: unchanged. */
    health: EndpointHealth | undefined;
  }): Promise<boolean>;
  /** Newest first. */
  listDeliveries(
    filter: {
      endpoint?: string | undefined;
      state?: DeliveryState | undefined;
      orderNo?: string | undefined;
    },
    page: { size: number; after?: DeliveryCursor | undefined },
  ): Promise<Delivery[]>;
  /** Queues the order's event for each endpoint, as a replay; the number queued. 0 if the order has not ended. */
  redeliver(orderNo: string, endpoints: readonly string[], now: number): Promise<number>;
  /**
   * Restarts the endpoint, and queues every event of orders that ended in [since, until) and that it has not received.
   */
  recover(recover: {
    endpoint: string;
    since: number;
    until: number;
    now: number;
  }): Promise<{ queued: number; restarted: boolean }>;
  /** Health and counts of the endpoints, in the order asked for. */
  endpoints(
    names: readonly string[],
  ): Promise<(EndpointHealth & { name: string; waiting: number; parked: number })[]>;
}

/** One event at one endpoint. */
export interface Delivery {
  order: LedgerOrder;
  endpoint: string;
  sequence: number;
  state: DeliveryState;
  /** Tries ended. */
  attempts: number;
  /** When it was queued: the three days count from here. */
  queuedAt: number;
  dueAt: number;
  triedAt: number | undefined;
  /** An HTTP status or a word; "" for none. */
  result: string;
  /** Sent again by an operator: says nothing about the endpoint's health. */
  replay: boolean;
}

/** How an endpoint does. */
export interface EndpointHealth {
  /** Failed rounds in a row. */
  failures: number;
  /** Nothing is sent before. */
  resumeAt: number;
  /** Since when it is stopped, because it answered 410. */
  stoppedAt: number | undefined;
}

/** The last delivery of a page: deliveries are sorted by both, newest first. */
export interface DeliveryCursor {
  sequence: number;
  endpoint: string;
}
