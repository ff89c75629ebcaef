import type { CallFinished } from "../calls/ongoing-call.ts";
import { ErrorReason, reasonName, ServiceError, UpstreamError } from "../errors.ts";
import type { AnswerFailed, RequestRefused, RequestTurnedAway } from "../events.ts";
import type { AuditLine } from "./audit.ts";
import type { EventsOptions } from "./events.ts";
import { errorFields, stackFrames } from "./logger.ts";

/** The HTTP status of the form door and the gRPC code of the RPC doors for each reason. */
export interface Statuses {
  http: Readonly<Record<ErrorReason, number>>;
  grpc: Readonly<Record<ErrorReason, number>>;
}

const AUDITED: Readonly<Record<string, AuditLine["event"]>> = {
  GetFaceParams: "attempt",
  GetResult: "result",
  GetVerificationLink: "result",
  StartLink: "attempt",
  ReturnToLink: "result",
};

/** Writes each call's access line, metrics and audit line. */
export function callEvents(options: EventsOptions) {
  const { logger, metrics, audit, tracer, clock, livemode, statuses } = options;

  function writeAudit(
    finished: CallFinished,
    outcome: string,
    code: string | undefined,
    billed: boolean,
  ): void {
    const event = AUDITED[finished.method];
    if (!event || !audit) return;
    const { requestId, caller, peer, door, error, facts } = finished;
    try {
      audit.write({
        time: new Date(clock.now()).toISOString(),
        event,
        request_id: requestId,
        caller,
        peer,
        door,
        order_no: facts.order_no,
        person: facts.person,
        outcome,
        verdict: facts.verdict,
        code,
        biz_seq_no: facts.biz_seq_no ?? error?.metadata["biz_seq_no"],
        billed,
        livemode,
      });
    } catch (failure) {
      // The person has been verified: withholding the response now would help no one.
      metrics.auditFailures.inc();
      const line = { event: "audit_failed", request_id: requestId, ...errorFields(failure) };
      logger.error(line, "a line of the audit trail was lost");
    }
  }

  /** What the caller sees; a page or a redirect of the browser door has no status that says anything. */
  function statusOf(door: string, error: ServiceError | undefined) {
    if (door === "form" || door === "browser") {
      const success = door === "form" ? { http_status: 200 } : {};
      return error ? { http_status: statuses.http[error.reason] } : success;
    }
    return { grpc_code: error ? statuses.grpc[error.reason] : 0 };
  }

  function requestRefused({ door, requestId, path, error }: RequestRefused): void {
    const outcome = reasonName(error.reason);
    metrics.refused.inc({ door, outcome });
    const line = { event: "request_refused", request_id: requestId, door, path, outcome };
    if (error.reason === ErrorReason.INTERNAL) logger.error({ ...line, ...causeOf(error) }, "request failed");
    else logger.info({ ...line, ...violated(error) }, "request refused");
  }

  return {
    callFinished(finished: CallFinished) {
      const { method, door, requestId, peer, caller, durationMs, error, facts } = finished;
      const outcome = error ? reasonName(error.reason) : "OK";
      metrics.calls.inc({ method, door, outcome });
      metrics.callSeconds.observe({ method, door }, durationMs / 1000);

      const { verdict, verdict_reason: reason, launch_within_ms: launchWithinMs } = facts;
      const code = facts.upstream_code ?? error?.metadata["upstream_code"];
      const billed = facts.billed ?? isBilled(error);
      if (verdict !== undefined && reason !== undefined) metrics.verdicts.inc({ verdict, reason });
      if (billed) metrics.billed.inc({ method });
      if (launchWithinMs !== undefined) metrics.tickets.nonceGuaranteedSeconds.set(launchWithinMs / 1000);

      const line = {
        event: "call_finished",
        request_id: requestId,
        door,
        method,
        caller,
        peer,
        outcome,
        ...statusOf(door, error),
        duration_ms: Math.round(durationMs * 10) / 10,
        upstream: tracer.upstreamUse(),
        order_no: facts.order_no,
        upstream_code: code,
        biz_seq_no: facts.biz_seq_no ?? error?.metadata["biz_seq_no"],
        verdict,
        verdict_reason: reason,
        unreadable: facts.unreadable,
        media_error: facts.media_error,
        outcome_error: facts.outcome_error,
        launch_within_ms: launchWithinMs,
        previous: facts.previous,
        generation: facts.generation,
        ...(error && { ...violated(error), error: error.message, ...causeOf(error) }),
      };
      if (error) logger.warn(line, "call failed");
      else logger.info(line, "call finished");
      writeAudit(finished, outcome, code, billed);
    },

    requestRefused,

    answerFailed({ door, requestId, path, error }: AnswerFailed) {
      metrics.answersFailed.inc({ door });
      const line = { event: "answer_failed", request_id: requestId, door, path, ...errorFields(error) };
      logger.error({ ...line, ...stackOf(error) }, "an answer could not be written");
    },

    /** Reported without the path, which is client text. */
    requestTurnedAway({ requestId, reason, cause }: RequestTurnedAway) {
      const error = new ServiceError(ErrorReason[reason], "no door has seen it", { cause });
      requestRefused({ door: "http", requestId, path: "", error });
    },
  };
}

/** Whether the vendor charges for its response although the call failed. */
const isBilled = (error: ServiceError | undefined) =>
  error?.cause instanceof UpstreamError && (error.cause.entry?.billed ?? false);

const stackOf = (error: unknown) => (error instanceof Error ? { stack: stackFrames(error) } : {});

function violated({ violations }: ServiceError) {
  return violations.length === 0 ? {} : { fields: violations.map(({ field, rule }) => `${field}:${rule}`) };
}

/** A cause by its class and, if it is a string, its own cause; a foreign message could contain anything. */
function causeOf({ cause, reason }: ServiceError) {
  if (!(cause instanceof Error)) return {};
  const expected = reasonName(reason) !== "INTERNAL";
  const { cause: inner } = cause;
  return {
    cause: cause.name,
    ...(typeof inner === "string" && { cause_detail: inner }),
    ...(!expected && { stack: stackFrames(cause) }),
  };
}
