import type { DestinationStream } from "pino";
import type { Clock } from "../lib/clock.ts";
import { createLifecycle, type Part } from "../lib/lifecycle.ts";
import { createAudit } from "./audit.ts";
import type { Statuses } from "./call-events.ts";
import { createEvents, type Events } from "./events.ts";
import { createLogger, type LogLevel } from "./logger.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createTracer, type Tracer } from "./tracer.ts";

/** What is configured. */
export interface TelemetrySettings {
  appId: string;
  role: string;
  livemode: boolean;
  logLevel: LogLevel;
  /** See `createAudit`. */
  auditLog: string | undefined;
  /** Undefined: no traces are sent. */
  traces: { sampler: string; samplerRatio: number } | undefined;
}

export interface TelemetryOptions {
  /** Of the service. */
  version: string;
  clock: Clock;
  /** What the doors answer for each reason, for the access line. */
  statuses: Statuses;
  /** Where log lines go; standard output unless given. */
  logSink?: DestinationStream | undefined;
  /** Whether to measure the process itself too; once in a process. */
  process?: boolean;
}

/** All that makes the service visible. It starts before everything else and stops after it. */
export interface Telemetry extends Required<Part> {
  events: Events;
  metrics: Metrics;
  tracer: Tracer;
  /** Opens the audit trail anew after its file was rotated. */
  reopen(): void;
  /** Resolves when every log line so far is written. */
  flush(): Promise<void>;
}

export function createTelemetry(settings: TelemetrySettings, options: TelemetryOptions): Telemetry {
  const { appId, role, livemode, logLevel, auditLog, traces } = settings;
  const { version, clock, statuses, logSink } = options;
  // The SDK is loaded when it is asked for, and costs nothing otherwise.
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
  const audit = createAudit(auditLog);
  const events = createEvents({ logger, metrics, audit, tracer, clock, livemode, statuses });
  return {
    events,
    metrics,
    tracer,
    reopen() {
      try {
        audit.reopen();
      } catch (error) {
        events.auditReopenFailed({ error });
      }
    },
    flush: () => new Promise((resolve) => logger.flush(() => resolve())),
    ...createLifecycle([tracer, audit]),
  };
}
