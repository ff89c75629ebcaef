/** What ledger, collector and deliveries report. Nothing personal. */
export interface OrderEvents {
  /** One operation of the ledger. */
  ledgerAsked(asked: { op: string; ok: boolean; durationMs: number; error?: unknown }): void;
  /** The number of orders that wait in memory because the ledger cannot be written; when it changes. */
  ordersUnwritten(unwritten: { rows: number }): void;
  /** Orders that will never reach the ledger. */
  ordersLost(lost: { rows: number; why: "memory is full" | "the process ends" }): void;
  /** An order ended, by this process. `by`: whose look it was. */
  orderEnded(ended: {
    orderNo: string;
    state: "COMPLETED" | "EXPIRED" | "UNKNOWN";
    /** The verdict's name; "" unless COMPLETED. */
    verdict: string;
    by: "caller" | "collector";
    /** Milliseconds since the launch. */
    ageMs: number;
  }): void;
  /** The vendor's answer differs from the end that the order has, which stands. Verdicts by name. */
  orderContradicted(contradicted: { orderNo: string; kept: string; answered: string }): void;
  /** One look of the collector. `outcome`: `judged`, `no_record`, or how the look failed. */
  orderLookedAt(looked: { outcome: string }): void;
  /** A step of the collector or the sweeper failed as none should; the next follows. */
  ordersLoopFailed(failed: { error: unknown }): void;
  /** One try of a delivery. `result`: an HTTP status or a word. */
  deliveryTried(tried: {
    endpoint: string;
    eventId: string;
    outcome: "delivered" | "retry" | "parked" | "stopped";
    result: string;
    attempts: number;
    durationMs: number;
  }): void;
  /** Whether an endpoint takes deliveries again, or has begun to fail. */
  endpointChanged(change: { endpoint: string; up: boolean; result: string }): void;
  /** A fault of this service while sending to an endpoint; tried again. */
  dispatchFailed(failed: { endpoint: string; error: unknown }): void;
  /** The number of open streams of WatchResults; when it changes. */
  watchersChanged(change: { watchers: number }): void;
}
