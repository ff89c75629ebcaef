import type { Logger } from "pino";
import type { OrderEvents } from "../orders/events.ts";
import { createEdgeDetector, errorFields, errorFieldsWithStack } from "./logger.ts";
import type { OrderMetrics } from "./order-metrics.ts";

/** The events of ledger, collector and deliveries. */
export function orderEvents(logger: Logger, metrics: OrderMetrics): OrderEvents {
  const ledgerEdge = createEdgeDetector();

  return {
    ledgerAsked({ op, ok, durationMs, error }) {
      metrics.statementSeconds.observe({ op, outcome: ok ? "ok" : "error" }, durationMs / 1000);
      if (!ledgerEdge.changes(ok)) return;
      if (ok) logger.info({ event: "ledger_recovered" }, "the ledger answers again");
      else
        logger.error(
          { event: "ledger_failed", ...errorFields(error) },
          "the ledger cannot be reached; launches go on",
        );
    },

    ordersUnwritten({ rows }) {
      metrics.unwritten.set(rows);
    },

    ordersLost({ rows, why }) {
      metrics.lost.inc(rows);
      logger.error({ event: "orders_lost", rows, why }, "orders will never reach the ledger");
    },

    orderEnded({ orderNo, state, verdict, by, ageMs }) {
      metrics.ended.inc({ state, verdict });
      metrics.orderSeconds.observe({ state }, ageMs / 1000);
      const line = { event: "order_ended", order_no: orderNo, state, verdict, by, age_ms: Math.round(ageMs) };
      if (state === "UNKNOWN") logger.error(line, "an order ended without an answer of the vendor");
      else logger.info(line, "order ended");
    },

    orderContradicted({ orderNo, kept, answered }) {
      metrics.contradictions.inc();
      logger.error(
        { event: "order_contradicted", order_no: orderNo, kept, answered },
        "the vendor's answer differs from the end that stands",
      );
    },

    orderLookedAt({ outcome }) {
      metrics.looks.inc({ outcome });
    },

    ordersLoopFailed({ error }) {
      logger.error(
        { event: "orders_loop_failed", ...errorFieldsWithStack(error) },
        "a step of the collector failed",
      );
    },

    deliveryTried({ endpoint, eventId, outcome, result, attempts, durationMs }) {
      metrics.tries.inc({ endpoint, outcome });
      metrics.trySeconds.observe({ endpoint }, durationMs / 1000);
      const line = { event: "delivery_tried", endpoint, event_id: eventId, outcome, result, attempts };
      if (outcome === "parked") logger.error(line, "a delivery was given up");
      else if (outcome === "delivered") logger.debug(line, "delivered");
      else logger.debug(line, "not delivered");
    },

    endpointChanged({ endpoint, up, result }) {
      const line = { event: "endpoint_changed", endpoint, up, result };
      if (up) logger.info(line, "the endpoint takes deliveries again");
      else logger.warn(line, "the endpoint does not take deliveries");
    },

    dispatchFailed({ endpoint, error }) {
      const line = { event: "dispatch_failed", endpoint, ...errorFields(error) };
      logger.error(line, "sending to an endpoint failed, and is tried again");
    },

    watchersChanged({ watchers }) {
      metrics.watchers.set(watchers);
    },
  };
}
