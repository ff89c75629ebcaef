import type { DestinationStream } from "pino";
import type { Clock } from "../lib/clock.ts";
import { createLifecycle, type Part } from "../lib/lifecycle.ts";
import { createAudit } from "./audit.ts";
import type { Statuses } from "./call-events.ts";
import { createEvents, type Events } from "./events.ts";
import { createLogger, type LogLevel } from "./logger.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createTracer, type Tracer } from "./tracer.ts";

/** The telemetry's configuration. */
export interface TelemetrySettings {
  appId: string;
  role: string;
  livemode: boolean;
  logLevel: LogLevel;
  /** See `createAudit`; undefined: no audit trail. */
  auditLog: string | undefined;
  /** Undefined: traces are not exported. */
  traces: { sampler: string; samplerRatio: number } | undefined;
}

export interface TelemetryOptions {
  /** Of the service. */
  version: string;
  clock: Clock;
  /** The doors' status for each reason, for the access line. */
  statuses: Statuses;
  /** Destination of log lines; standard output by default. */
  logSink?: DestinationStream | undefined;
  /** Whether to measure the process too; at most once per process. */
  process?: boolean;
}

/** Logs, metrics, traces and audit trail. Starts before everything else and stops after it. */
export interface Telemetry extends Required<Part> {
  events: Events;
  metrics: Metrics;
  tracer: Tracer;
  /** Reopens the audit trail after log rotation. */
  reopen(): void;
  /** Resolves when every log line so far has been written. */
  flush(): Promise<void>;
}

export function createTelemetry(settings: TelemetrySettings, options: TelemetryOptions): Telemetry {
  const { appId, role, livemode, logLevel, auditLog, traces } = settings;
  const { version, clock, statuses, logSink } = options;
  // The SDK is loaded only if configured.
  // perf: docs/performance.md#lazy-imports
  const tracer = createTracer(
    traces && (async () => (await import("./otlp-spans.ts")).createOtlpSpans(traces)),
  );
  const metrics = createMetrics({
    appId,
    build: { version, role, livemode },
    process: options.process ?? false,
  });
  const logger = createLogger({
    level: logLevel,
    traceId: () => tracer.traceId(),
    sink: logSink,
    onLost: () => metrics.logLinesLost.inc(),
  });
  const audit = auditLog === undefined ? undefined : createAudit(auditLog);
  const events = createEvents({ logger, metrics, audit, tracer, clock, livemode, statuses });
  return {
    events,
    metrics,
    tracer,
    reopen() {
      try {
        audit?.reopen();
      } catch (error) {
        events.auditReopenFailed({ error });
      }
    },
    flush: () => new Promise((resolve) => logger.flush(() => resolve())),
    ...createLifecycle(audit ? [tracer, audit] : [tracer]),
  };
}
