import { createHash } from "node:crypto";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { UpstreamEndpoint } from "../errors.ts";
import { createLinkMetrics } from "./link-metrics.ts";
import { createMachineMetrics } from "./machine-metrics.ts";
import { createOrderMetrics } from "./order-metrics.ts";
import { createTicketMetrics } from "./ticket-metrics.ts";

export interface MetricsOptions {
  /** Its hash is the `app` label of every metric, which distinguishes installations. */
  appId: string;
  build: { version: string; role: string; livemode: boolean };
  /** Whether to measure the process too: event loop, memory, garbage collection. At most once per process. */
  process: boolean;
}

/** From a fast vendor response to the longest call, seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];
/** The library's gauges with names of counters; not needed here. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

const ENDPOINTS: readonly UpstreamEndpoint[] = [
  "access_token",
  "sign_ticket",
  "nonce_ticket",
  "upload",
  "query",
];

const PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/**
 * All metrics (docs/metrics.md). Label values are constants of the code and never taken from a request, so
 * the number of series is bounded.
 */
export function createMetrics({ appId, build, process: watchProcess }: MetricsOptions) {
  const registry = new Registry();
  registry.setDefaultLabels({ app: createHash("sha256").update(appId).digest("hex").slice(0, 8) });
  const registers = [registry];
  if (watchProcess) {
    collectDefaultMetrics({ register: registry });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
  }
  new Gauge({
    name: "faceid_build_info",
    help: "Always 1; what is running.",
    labelNames: ["version", "node", "role", "livemode"],
    registers,
  }).set({ ...build, livemode: String(build.livemode), node: process.versions.node }, 1);

  const unknownCodes = new Counter({
    name: "faceid_upstream_unknown_codes_total",
    help: "Answers of the vendor with a code that nobody knows; the code is in the log.",
    labelNames: ["endpoint"],
    registers,
  });
  // Present from the start: Prometheus sees no increase in a counter that first appears as 1.
  for (const endpoint of ENDPOINTS) unknownCodes.inc({ endpoint }, 0);
  const keyFetches = new Counter({
    name: "faceid_jwks_fetches_total",
    help: "Fetches of the keys that end users' tokens are checked with.",
    labelNames: ["outcome"],
    registers,
  });
  for (const outcome of ["ok", "error"]) keyFetches.inc({ outcome }, 0);

  return {
    calls: new Counter({
      name: "faceid_calls_total",
      help: "Finished calls; outcome is OK or the reason of the error.",
      labelNames: ["method", "door", "outcome"],
      registers,
    }),
    callSeconds: new Histogram({
      name: "faceid_call_seconds",
      help: "Duration of calls.",
      labelNames: ["method", "door"],
      buckets: SECONDS,
      registers,
    }),
    refused: new Counter({
      name: "faceid_requests_refused_total",
      help: "Requests that never became a call: unreadable, too large, no such route.",
      labelNames: ["door", "outcome"],
      registers,
    }),
    answersFailed: new Counter({
      name: "faceid_answers_failed_total",
      help: "Answers that could not be written; the caller got INTERNAL in place of the answer.",
      labelNames: ["door"],
      registers,
    }),
    readersDropped: new Counter({
      name: "faceid_readers_dropped_total",
      help: "Connections that were ended because their clients did not read their answers.",
      registers,
    }),
    verdicts: new Counter({
      name: "faceid_verdicts_total",
      help: "Verdicts given; one that is read twice counts twice.",
      labelNames: ["verdict", "reason"],
      registers,
    }),
    billed: new Counter({
      name: "faceid_billed_outcomes_total",
      help: "Answers with an outcome that the vendor charges for; one that is read twice counts twice.",
      labelNames: ["method"],
      registers,
    }),
    upstreamCalls: new Counter({
      name: "faceid_upstream_calls_total",
      help: "Calls to the vendor; outcome is ok, the class of the vendor's code, or how the call failed.",
      labelNames: ["endpoint", "outcome"],
      registers,
    }),
    upstreamSeconds: new Histogram({
      name: "faceid_upstream_call_seconds",
      help: "Duration of calls to the vendor.",
      labelNames: ["endpoint"],
      buckets: SECONDS,
      registers,
    }),
    unknownCodes,
    wouldBeRefused: new Counter({
      name: "faceid_would_be_refused_total",
      help: "Calls that were let in because their rule is only observed.",
      labelNames: ["door", "rule"],
      registers,
    }),
    keyFetches,
    circuitOpen: new Gauge({
      name: "faceid_upstream_circuit_open",
      help: "1 while an interface of the vendor fails too often and is left alone.",
      labelNames: ["endpoint"],
      registers,
    }),
    launchStoreFailures: new Counter({
      name: "faceid_launch_store_failures_total",
      help: "Operations of the shared store of repeats that failed; this process went on by itself.",
      registers,
    }),
    limitStoreFailures: new Counter({
      name: "faceid_limit_store_failures_total",
      help: "Counts of limits that failed in the shared store; this process counted by itself.",
      registers,
    }),
    logLinesLost: new Counter({
      name: "faceid_log_lines_lost_total",
      help: "Log lines that were dropped because they could not be written.",
      registers,
    }),
    configRejected: new Counter({
      name: "faceid_config_rejected_total",
      help: "Changed files that could not be used; what was before stayed in force.",
      registers,
    }),
    auditFailures: new Counter({
      name: "faceid_audit_failures_total",
      help: "Lines of the audit trail that could not be written.",
      registers,
    }),
    ...createMachineMetrics(registry),
    tickets: createTicketMetrics(registry),
    orders: createOrderMetrics(registry),
    links: createLinkMetrics(registry),
    registry,

    /** The text of `/metrics`, in the format the scraper accepts (RFC 9110 12.5.1, ignoring weights). */
    async render(accept: string | undefined): Promise<{ contentType: string; text: string }> {
      const text = await registry.metrics();
      const open = accept?.includes("application/openmetrics-text") ?? false;
      return open
        ? { contentType: OPEN_METRICS, text: openMetrics(text) }
        : { contentType: PROMETHEUS, text };
    },
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Converts the text to OpenMetrics 1.0, where a counter's family is named without `_total`. The library's own
 * writer renames its counters permanently, which breaks the older format.
 */
function openMetrics(text: string): string {
  const counters = new Set([...text.matchAll(/^# TYPE (\S+)_total counter$/gm)].map(([, name]) => name));
  const named = text.replaceAll(
    /^# (HELP|TYPE) (\S+)_total /gm,
    (line: string, what: string, name: string) => (counters.has(name) ? `# ${what} ${name} ` : line),
  );
  return `${named.replaceAll(/\n+/g, "\n")}# EOF\n`;
}
