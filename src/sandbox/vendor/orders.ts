import type { TurnableClock } from "../turnable-clock.ts";
import type { Lifetimes } from "./credentials.ts";
import type { Scenario } from "./scenarios.ts";
import type { Shape } from "./shape.ts";

export const EDITIONS = ["basic", "enhanced", "plus"] as const;

export type VendorEdition = (typeof EDITIONS)[number];

/** One upload. Name and ID number are not stored, only the scenario they select. */
export interface Order {
  orderNo: string;
  userId: string;
  edition: VendorEdition;
  /** Where the identity may be used; the enhanced and Plus editions have one upload for both. */
  channel: "app" | "browser" | "both";
  faceId: string;
  faceIdExpiresAt: number;
  /** Selected by the ID number. */
  scenario: Scenario;
  /** Undefined until the SDK has been played. */
  outcome?: { scenario: Scenario; completedAt: number; serial: string };
}

/** Orders from upload until the vendor's purge (protocol.md 6.1). */
export interface VendorOrders {
  create(upload: Pick<Order, "orderNo" | "userId" | "edition" | "channel" | "scenario">): Order;
  byNumber(orderNo: string): Order | undefined;
  byFaceId(faceId: string): Order | undefined;
  complete(order: Order, scenario: Scenario): void;
  /** The outcome a query sees: none before the SDK was played, if no record is kept, or after the purge. */
  recordOf(
    orderNo: string,
  ): { order: Order; scenario: Scenario; completedAt: number; serial: string } | undefined;
}

export function createVendorOrders(clock: TurnableClock, shape: Shape, lifetimes: Lifetimes): VendorOrders {
  const byNumber = new Map<string, Order>();
  const byFaceId = new Map<string, Order>();
  const { faceIdLifeMs, recordLifeMs } = lifetimes;

  /** Drops orders no longer visible to any call, from the front: a Map keeps insertion order. */
  function purge(): void {
    const now = clock.now();
    for (const order of byNumber.values()) {
      const since = order.outcome?.completedAt ?? order.faceIdExpiresAt;
      if (since + recordLifeMs > now) break;
      byNumber.delete(order.orderNo);
      byFaceId.delete(order.faceId);
    }
  }

  return {
    create(upload) {
      purge();
      const faceIdExpiresAt = clock.now() + faceIdLifeMs;
      const order: Order = { ...upload, faceId: shape.faceId(), faceIdExpiresAt };
      byNumber.set(order.orderNo, order);
      byFaceId.set(order.faceId, order);
      return order;
    },
    byNumber: (orderNo) => byNumber.get(orderNo),
    byFaceId: (faceId) => byFaceId.get(faceId),
    complete(order, scenario) {
      order.outcome = { scenario, completedAt: clock.now(), serial: shape.serial() };
    },
    recordOf(orderNo) {
      const order = byNumber.get(orderNo);
      if (!order?.outcome?.scenario.evidence) return undefined;
      return clock.now() < order.outcome.completedAt + recordLifeMs ? { order, ...order.outcome } : undefined;
    },
  };
}
