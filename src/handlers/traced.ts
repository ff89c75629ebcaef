import { reasonName, ServiceError } from "../errors.ts";
import type { Span, Tracer } from "../telemetry/tracer.ts";
import type { Pipeline } from "./pipeline.ts";

/** The same pipeline with a span around each call and one around its handler; the answer names the outer one. */
export function traced(pipeline: Pipeline, tracer: Tracer): Pipeline {
  return (method) => {
    const { name, handler } = method;
    const wrapped = pipeline({
      ...method,
      handler: (request, call) =>
        tracer.span({ name: `handler ${name}`, kind: "internal" }, () => handler(request, call)),
    });
    return (request, call) => {
      const { door, requestId, traceparent } = call;
      const fields = { door, method: name, request_id: requestId };
      return tracer.span({ name: `${door} ${name}`, kind: "server", traceparent, fields }, (span) => {
        call.answerHeader("traceparent", span.traceparent);
        return outcomeOn(span, wrapped(request, call));
      });
    };
  };
}

async function outcomeOn<T>(span: Span, work: Promise<T>): Promise<T> {
  try {
    const result = await work;
    span.set({ outcome: "OK" });
    return result;
  } catch (error) {
    const outcome = error instanceof ServiceError ? reasonName(error.reason) : "INTERNAL";
    span.set({ outcome });
    span.fail(outcome);
    throw error;
  }
}
