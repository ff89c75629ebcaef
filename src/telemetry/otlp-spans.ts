import { type Span as OtelSpan, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { formatTraceparent, parseTraceparent } from "./trace-context.ts";
import type { OpenSpan, SpanSource } from "./tracer.ts";

export interface OtlpOptions {
  /** `OTEL_TRACES_SAMPLER` and its argument. */
  sampler: string;
  samplerRatio: number;
}

const KINDS = { server: SpanKind.SERVER, internal: SpanKind.INTERNAL, client: SpanKind.CLIENT };

/**
 * Spans from the OpenTelemetry SDK, exported in batches by OTLP over HTTP. The SDK itself reads endpoint,
 * headers and certificates from `OTEL_EXPORTER_OTLP_*`, and the service's name and attributes from
 * `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`. Spans that cannot be delivered are dropped; calls never
 * wait for them.
 */
export function createOtlpSpans({ sampler, samplerRatio }: OtlpOptions): SpanSource {
  const resource = resourceFromAttributes({ "service.name": "faceverification" });
  const provider = new TracerProvider({
    // Configured attributes override our default name.
    resource: defaultResource()
      .merge(resource)
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: samplerOf(sampler, samplerRatio),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const tracer = provider.getTracer("faceverification");
  const spans = new WeakMap<OpenSpan, OtelSpan>();

  return {
    open({ name, kind, traceparent, fields = {} }, parent) {
      const outer = parent && spans.get(parent);
      const caller = parent ? undefined : parseTraceparent(traceparent);
      let context = outer ? trace.setSpan(ROOT_CONTEXT, outer) : ROOT_CONTEXT;
      if (caller) {
        const { traceId, spanId, sampled } = caller;
        context = trace.setSpanContext(context, {
          traceId,
          spanId,
          traceFlags: sampled ? 1 : 0,
          isRemote: true,
        });
      }
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes: { ...fields } }, context);
      const { traceId, spanId, traceFlags } = span.spanContext();
      const open: OpenSpan = {
        traceId,
        traceparent: formatTraceparent({ traceId, spanId, sampled: (traceFlags & 1) === 1 }),
        set: (more) => void span.setAttributes({ ...more }),
        fail: (outcome) => void span.setStatus({ code: SpanStatusCode.ERROR, message: outcome }),
        end: () => span.end(),
      };
      spans.set(open, span);
      return open;
    },
    stop: () => provider.shutdown().catch(() => undefined),
  };
}

/**
 * The samplers of the OpenTelemetry specification; by default samples everything unless the caller decided
 * otherwise.
 */
function samplerOf(name: string, ratio: number): Sampler {
  const roots: Record<string, Sampler> = {
    always_on: new AlwaysOnSampler(),
    always_off: new AlwaysOffSampler(),
    traceidratio: new TraceIdRatioBasedSampler(ratio),
  };
  const root = roots[name.replace(/^parentbased_/, "")] ?? new AlwaysOnSampler();
  return name in roots ? root : new ParentBasedSampler({ root });
}
