import type { Logger } from "pino";
import { reasonName, type ServiceError, type UpstreamEndpoint } from "../errors.ts";
import type { CallFinished } from "../handlers/pipeline.ts";
import { brief, describe, frames } from "./describe.ts";
import { ticketEvents } from "./ticket-events.ts";

/**
 * One function per business event. The only file that hands fields to the logger, each by name, so one file shows
 * everything that can be logged. The rooms declare the events they emit; this satisfies them by shape.
 */
export function createEvents(logger: Logger) {
  return {
    serviceStarted(fields: { http?: string; grpc?: string; admin: string; livemode: boolean; role: string }) {
      logger.info({ event: "service_started", ...fields }, "service started");
    },

    serviceStopping(fields: { signal: string }) {
      logger.info({ event: "service_stopping", signal: fields.signal }, "service stopping");
    },

    serviceFailed({ error }: { error: unknown }) {
      logger.fatal({ event: "service_failed", ...describe(error) }, "service failed");
    },

    ...ticketEvents(logger),

    callFinished({ method, door, requestId, peer, caller, durationMs, error, facts }: CallFinished) {
      const line = {
        event: "call_finished",
        request_id: requestId,
        door,
        method,
        caller,
        peer,
        outcome: error ? reasonName(error.reason) : "OK",
        duration_ms: Math.round(durationMs * 10) / 10,
        ...facts,
        ...(error && { ...error.metadata, ...violated(error), error: error.message, ...causeOf(error) }),
      };
      if (error) logger.warn(line, "call failed");
      else logger.info(line, "call finished");
    },

    requestRefused({
      door,
      requestId,
      path,
      error,
    }: {
      door: string;
      requestId: string;
      path: string;
      error: ServiceError;
    }) {
      logger.info(
        {
          event: "request_refused",
          request_id: requestId,
          door,
          path,
          outcome: reasonName(error.reason),
          ...violated(error),
        },
        "request refused",
      );
    },

    configReloaded() {
      logger.info({ event: "config_reloaded" }, "files have changed and are in use");
    },

    configRejected({ error }: { error: unknown }) {
      const problems = (error as { problems?: readonly string[] }).problems ?? [];
      logger.error(
        { event: "config_rejected", problems, ...brief(error) },
        "files have changed and cannot be used; what was before stays in force",
      );
    },

    wouldBeRefused({ door, rule, requestId }: { door: string; rule: string; requestId: string }) {
      logger.info(
        { event: "would_be_refused", request_id: requestId, door, rule },
        "let in, and only observed",
      );
    },

    circuitChanged({ endpoint, open }: { endpoint: UpstreamEndpoint; open: boolean }) {
      const line = { event: "circuit_changed", endpoint, open };
      if (open) logger.error(line, "the vendor fails too often and is left alone");
      else logger.info(line, "the vendor answers again");
    },

    launchStoreFailed({ error }: { error: unknown }) {
      logger.warn(
        { event: "launch_store_failed", ...brief(error) },
        "repeats are known to this process only",
      );
    },
  };
}

export type Events = ReturnType<typeof createEvents>;

function violated({ violations }: ServiceError) {
  return violations.length === 0 ? {} : { fields: violations.map(({ field, rule }) => `${field}:${rule}`) };
}

/** A cause by its class and, of our own errors, its text; a stranger's message may hold anything. */
function causeOf({ cause, reason }: ServiceError) {
  if (!(cause instanceof Error)) return {};
  const expected = reasonName(reason) !== "INTERNAL";
  const { cause: inner } = cause;
  return {
    cause: cause.name,
    ...(typeof inner === "string" && { cause_detail: inner }),
    ...(!expected && { stack: frames(cause) }),
  };
}
