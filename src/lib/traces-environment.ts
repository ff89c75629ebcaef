import type { createEnvironmentReader } from "./environment.ts";

export interface TraceSettings {
  /** A name of the OpenTelemetry specification, and the part of the traces that its ratio samplers keep, 0 to 1. */
  sampler: string;
  samplerRatio: number;
}

type Reader = ReturnType<typeof createEnvironmentReader>;

/** The variables by which OpenTelemetry is asked for traces; the rest of its variables its SDK reads by itself. */
export function readTraces(read: Reader): TraceSettings | undefined {
  const exporter = read.text("OTEL_TRACES_EXPORTER");
  const endpoints = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
  if (read.text("OTEL_SDK_DISABLED") === "true" || exporter === "none") return undefined;
  if (exporter === undefined && !endpoints.some((name) => read.has(name))) return undefined;
  if (exporter !== undefined && exporter !== "otlp") {
    read.problems.push("OTEL_TRACES_EXPORTER: must be otlp or none");
  }
  if (read.text("OTEL_EXPORTER_OTLP_PROTOCOL") === "grpc") {
    read.problems.push("OTEL_EXPORTER_OTLP_PROTOCOL: traces are sent over HTTP (port 4318), not by gRPC");
  }
  const ratio = Number(read.text("OTEL_TRACES_SAMPLER_ARG") ?? "1");
  if (!(ratio >= 0 && ratio <= 1)) read.problems.push("OTEL_TRACES_SAMPLER_ARG: must be from 0 to 1");
  const sampler = read.choice("OTEL_TRACES_SAMPLER", [
    "parentbased_always_on",
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_off",
    "parentbased_traceidratio",
  ]);
  return { sampler, samplerRatio: ratio };
}
