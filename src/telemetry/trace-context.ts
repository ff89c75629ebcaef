import { randomBytes } from "../lib/base62.ts";
import type { OpenSpan, SpanSource } from "./tracer.ts";

/** A position in a trace (https://www.w3.org/TR/trace-context/). */
export interface TraceContext {
  /** 32 and 16 hexadecimal digits. */
  traceId: string;
  spanId: string;
  sampled: boolean;
}

/** Parses the caller's position; undefined for an invalid header, which starts a new trace (W3C 3.2.2.3). */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  const match = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/.exec(header ?? "");
  const [, traceId = "", spanId = "", flags = ""] = match ?? [];
  if (!match || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export const formatTraceparent = ({ traceId, spanId, sampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;

const hex = (bytes: number) => randomBytes(bytes).toString("hex");
const noop = () => undefined;

/**
 * Spans that are not exported: the outermost has an identity for log and response, and inner spans are the
 * same object.
 */
export const plainSpans: SpanSource = {
  open({ traceparent }, parent): OpenSpan {
    if (parent) return parent;
    const caller = parseTraceparent(traceparent);
    const context = {
      traceId: caller?.traceId ?? hex(16),
      spanId: hex(8),
      sampled: caller?.sampled ?? false,
    };
    return {
      traceId: context.traceId,
      traceparent: formatTraceparent(context),
      set: noop,
      fail: noop,
      end: noop,
    };
  },
};
