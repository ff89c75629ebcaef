import type { Logger } from "pino";
import type { LinkEvents } from "../links/events.ts";
import type { LinkMetrics } from "./link-metrics.ts";

/** The events of verification links. */
export function linkEvents(logger: Logger, metrics: LinkMetrics): LinkEvents {
  return {
    linkLaunched({ device, again }) {
      metrics.launches.inc({ device, again: String(again) });
    },

    linkReturned({ kind, signature }) {
      metrics.returns.inc({ kind, signature });
    },

    callbackForged({ orderNo, signature }) {
      metrics.forged.inc({ signature });
      logger.warn(
        { event: "callback_forged", order_no: orderNo, signature },
        "a browser came back with a success that the vendor has not signed; the vendor is asked",
      );
    },

    linkEnded({ orderNo, verdict, attempts, ageMs }) {
      metrics.ended.inc({ verdict });
      const line = { event: "link_ended", order_no: orderNo, verdict, attempts, age_ms: Math.round(ageMs) };
      logger.info(line, "link ended");
    },
  };
}
