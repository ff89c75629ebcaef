import type { Logger } from "pino";
import type { Attempted, ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";
import type { Audit } from "./audit.ts";
import { callEvents, type Statuses } from "./call-events.ts";
import { linkEvents } from "./link-events.ts";
import { createEdgeDetector, errorFields, errorFieldsWithStack } from "./logger.ts";
import { machineEvents } from "./machine-events.ts";
import type { Metrics } from "./metrics.ts";
import { orderEvents } from "./order-events.ts";
import { ticketEvents } from "./ticket-events.ts";
import type { Tracer } from "./tracer.ts";

export interface EventsOptions {
  logger: Logger;
  metrics: Metrics;
  /** Undefined: no audit trail is kept. */
  audit: Audit | undefined;
  tracer: Tracer;
  clock: Clock;
  livemode: boolean;
  statuses: Statuses;
}

/**
 * One function per event, which writes its log line and updates its metrics. Only this folder passes fields
 * to the logger, each by name, so it shows everything that can be logged. The compiler requires every event
 * of `events.ts`.
 */
export function createEvents(options: EventsOptions) {
  const { logger, metrics, clock } = options;
  const jwksEdge = createEdgeDetector();

  /** Handles the operations of an optional shared store: counts failures and logs only changes. */
  function sharedStore(
    name: string,
    failures: Metrics["launchStoreFailures"],
    text: { recovered: string; failed: string },
  ) {
    const edge = createEdgeDetector();
    return ({ ok, error }: Attempted) => {
      if (!ok) failures.inc();
      if (!edge.changes(ok)) return;
      if (ok) logger.info({ event: `${name}_recovered` }, text.recovered);
      else logger.warn({ event: `${name}_failed`, ...errorFields(error) }, text.failed);
    };
  }

  return {
    serviceStarted({ http, grpc, admin, livemode, role }) {
      logger.info({ event: "service_started", http, grpc, admin, livemode, role }, "service started");
    },

    testAppOnLiveHost() {
      logger.warn(
        { event: "test_app_on_live_host" },
        "the app id looks like one for tests (TIDA…), and the host is the vendor's: is that meant?",
      );
    },

    serviceStopping(fields) {
      logger.info({ event: "service_stopping", signal: fields.signal }, "service stopping");
    },

    serviceFailed({ error }) {
      logger.fatal({ event: "service_failed", ...errorFieldsWithStack(error) }, "service failed");
    },

    ...ticketEvents(logger, metrics.tickets),
    ...orderEvents(logger, metrics.orders),
    ...linkEvents(logger, metrics.links),
    ...callEvents(options),
    ...machineEvents(logger, metrics, clock),

    upstreamCalled({ endpoint, outcome, code, bizSeqNo, durationMs }) {
      metrics.upstreamCalls.inc({ endpoint, outcome });
      metrics.upstreamSeconds.observe({ endpoint }, durationMs / 1000);
      if (endpoint === "access_token") metrics.tickets.tokenCalls.inc();
      if (endpoint === "nonce_ticket") metrics.tickets.nonces.inc({ outcome });
      if (outcome !== "unknown") return;
      metrics.unknownCodes.inc({ endpoint });
      logger.warn(
        { event: "unknown_code", endpoint, upstream_code: code, biz_seq_no: bizSeqNo },
        "the vendor answered with a code that nobody knows",
      );
    },

    /** One operation of the ticket store. */
    storeAsked({ op, ok, durationMs }) {
      metrics.tickets.storeSeconds.observe({ op, outcome: ok ? "ok" : "error" }, durationMs / 1000);
    },

    auditReopenFailed({ error }) {
      logger.error(
        { event: "audit_reopen_failed", ...errorFields(error) },
        "the audit trail stays in its old file",
      );
    },

    configReloaded() {
      logger.info({ event: "config_reloaded" }, "files have changed and are in use");
    },

    configRejected({ error }) {
      metrics.configRejected.inc();
      const problems = (error as { problems?: readonly string[] }).problems ?? [];
      logger.error(
        { event: "config_rejected", problems, ...errorFields(error) },
        "files have changed and cannot be used; what was before stays in force",
      );
    },

    readerDropped({ waitingBytes, stalledMs, crowded }) {
      metrics.readersDropped.inc();
      logger.warn(
        { event: "reader_dropped", waiting_bytes: waitingBytes, stalled_ms: Math.round(stalledMs), crowded },
        "a connection was ended whose client did not read its answers",
      );
    },

    wouldBeRefused({ door, rule, requestId }) {
      metrics.wouldBeRefused.inc({ door, rule });
      logger.info(
        { event: "would_be_refused", request_id: requestId, door, rule },
        "let in, and only observed",
      );
    },

    keysFetched({ ok, error }) {
      metrics.keyFetches.inc({ outcome: ok ? "ok" : "error" });
      if (!jwksEdge.changes(ok)) return;
      if (ok) logger.info({ event: "jwks_recovered" }, "the keys of the identity provider are here again");
      else
        logger.error(
          { event: "jwks_failed", ...errorFields(error) },
          "the keys of the identity provider cannot be fetched",
        );
    },

    circuitChanged({ endpoint, open }) {
      metrics.circuitOpen.set({ endpoint }, Number(open));
      const line = { event: "circuit_changed", endpoint, open };
      if (open) logger.error(line, "the vendor fails too often and is left alone");
      else logger.info(line, "the vendor answers again");
    },

    /** One operation of the shared store of launches. */
    launchStoreAsked: sharedStore("launch_store", metrics.launchStoreFailures, {
      recovered: "repeats are shared again",
      failed: "repeats are known to this process only",
    }),

    /** One count against a limit in the shared store. */
    limitStoreAsked: sharedStore("limit_store", metrics.limitStoreFailures, {
      recovered: "limits are counted together again",
      failed: "limits are counted by each process",
    }),

    /** Reloaded settings that take effect only after a restart. */
    configWaits({ settings }) {
      logger.warn({ event: "config_waits", settings }, "changed settings wait for a restart");
    },
  } satisfies ServiceEvents;
}

export type Events = ReturnType<typeof createEvents>;
