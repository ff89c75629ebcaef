import { GetResultRequestSchema } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { createAdmission } from "../../src/calls/admission.ts";
import type { IncomingCall } from "../../src/calls/call.ts";
import { createPipeline, type Pipeline, type PipelineOptions } from "../../src/calls/pipeline.ts";
import { createValidate } from "../../src/calls/validate.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { openScope } from "../../src/lib/deadline.ts";
import { createTracer } from "../../src/telemetry/tracer.ts";

/** A pipeline without limits, of its own process, for callers as `authorise` says. */
export const openPipeline = (
  options: Pick<PipelineOptions, "authorise" | "events"> & Partial<PipelineOptions>,
): Pipeline =>
  createPipeline({
    admission: createAdmission(100),
    streams: createAdmission(100),
    limit: async () => undefined,
    validate: createValidate([GetResultRequestSchema]),
    maxDurationMs: 60_000,
    tracer: createTracer(),
    clock: systemClock,
    ...options,
  });

/** A call by the form, of a caller that presents nothing. */
export const incomingForm = (requestId: string): IncomingCall => ({
  door: "form",
  listener: "public",
  requestId,
  credential: undefined,
  peer: { address: "192.0.2.1", local: false, certificateName: undefined },
  traceparent: undefined,
  answerHeader: () => undefined,
  language: undefined,
  scope: openScope(),
});
