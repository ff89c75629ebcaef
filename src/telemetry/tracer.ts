import { AsyncLocalStorage } from "node:async_hooks";
import type { UpstreamEndpoint } from "../errors.ts";
import type { Part } from "../lib/lifecycle.ts";
import { plainSpans } from "./trace-context.ts";

/** Everything a span can say; a field that is not listed here cannot be written. Nothing personal, nothing secret. */
export interface SpanFields {
  door?: string;
  method?: string;
  request_id?: string;
  outcome?: string;
  endpoint?: UpstreamEndpoint;
  upstream_code?: string;
  biz_seq_no?: string;
}

export interface SpanOptions {
  /** A constant of the code. */
  name: string;
  kind: "server" | "internal" | "client";
  /** The caller's W3C `traceparent`, for the outermost span. */
  traceparent?: string | undefined;
  fields?: SpanFields;
}

/** What a call to one endpoint of the vendor cost within one call of ours. */
export interface UpstreamUse {
  ms: number;
  calls: number;
  code?: string;
  biz_seq_no?: string;
}

export interface Span {
  readonly traceId: string;
  /** W3C Trace Context: version, trace, this span, flags. */
  readonly traceparent: string;
  set(fields: SpanFields): void;
  /** Marks the span as failed. */
  fail(outcome: string): void;
}

/** A span as its source makes it. */
export interface OpenSpan extends Span {
  end(): void;
}

/** Where spans come from: nowhere in particular, or a tracing SDK. */
export interface SpanSource extends Part {
  open(options: SpanOptions, parent: OpenSpan | undefined): OpenSpan;
}

/** Spans around work, and what is known of the call under way. */
export interface Tracer extends Required<Part> {
  /** Runs `work` within a span, a child of the one around it, and settles as it does. */
  span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  /** A child of the span around the caller, who ends it; nothing runs within it. */
  leaf(options: SpanOptions): OpenSpan;
  /** The trace under way. */
  traceId(): string | undefined;
  /** Calls to the vendor by the call under way, by endpoint; undefined outside of a call. */
  upstreamUse(): Partial<Record<UpstreamEndpoint, UpstreamUse>> | undefined;
}

/** What is known of the call under way. */
interface Scope {
  span: OpenSpan;
  use: Partial<Record<UpstreamEndpoint, UpstreamUse>>;
}

/** A tracer that only numbers traces, until `start` has loaded a better source, where one is configured. */
export function createTracer(load?: () => Promise<SpanSource>): Tracer {
  const scopes = new AsyncLocalStorage<Scope>();
  let source: SpanSource = plainSpans;

  async function within<T>(scope: Scope, work: (span: Span) => Promise<T>): Promise<T> {
    try {
      return await scopes.run(scope, () => work(scope.span));
    } finally {
      scope.span.end();
    }
  }

  return {
    span(options, work) {
      const outer = scopes.getStore();
      const span = source.open(options, outer?.span);
      // Where spans go nowhere, the outermost one is all there is.
      return span === outer?.span ? work(span) : within({ span, use: outer?.use ?? {} }, work);
    },
    leaf: (options) => source.open(options, scopes.getStore()?.span),
    traceId: () => scopes.getStore()?.span.traceId,
    upstreamUse: () => scopes.getStore()?.use,
    async start() {
      if (load) source = await load();
      await source.start?.();
    },
    async stop() {
      await source.stop?.();
    },
  };
}
