import { AsyncLocalStorage } from "node:async_hooks";
import type { UpstreamEndpoint } from "../errors.ts";
import type { Part } from "../lib/lifecycle.ts";
import { plainSpans } from "./trace-context.ts";

/** All fields of a span; a field not listed here cannot be written. Nothing personal, nothing secret. */
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
  /** A constant of the code, never request data. */
  name: string;
  kind: "server" | "internal" | "client";
  /** The caller's W3C `traceparent`, for the outermost span. */
  traceparent?: string | undefined;
  fields?: SpanFields;
}

/** The cost of one vendor endpoint within one call. */
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

/** A span that has not ended. */
export interface OpenSpan extends Span {
  end(): void;
}

/** Creates spans: local ones, or those of a tracing SDK. */
export interface SpanSource extends Part {
  open(options: SpanOptions, parent: OpenSpan | undefined): OpenSpan;
}

/** Runs work in spans, and knows the current call. */
export interface Tracer extends Required<Part> {
  /** Runs `work` in a span, a child of the current one, and settles as `work` does. */
  span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  /** Opens a child of the current span, which the caller ends; it never becomes the current span. */
  leaf(options: SpanOptions): OpenSpan;
  /** The current trace. */
  traceId(): string | undefined;
  /** The current call's vendor calls, by endpoint; undefined outside a call. */
  upstreamUse(): Partial<Record<UpstreamEndpoint, UpstreamUse>> | undefined;
}

/** The context of the current call. */
interface Scope {
  span: OpenSpan;
  use: Partial<Record<UpstreamEndpoint, UpstreamUse>>;
}

/** A tracer whose spans stay local until `start` has loaded the configured source. */
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
      // Without an exporter, inner spans are the outermost one.
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
