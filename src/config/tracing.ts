import type { EnvironmentReader } from "../lib/environment.ts";

export interface TraceSettings {
  /** A name of the OpenTelemetry specification, and the part of the traces that its ratio samplers keep, 0 to 1. */
  sampler: string;
  samplerRatio: number;
}

const SAMPLERS = [
  "parentbased_always_on",
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_off",
  "parentbased_traceidratio",
];
const ENDPOINTS = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/** The one for traces goes before the one for everything. */
const PROTOCOLS = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

/**
 * The variables by which OpenTelemetry is asked for traces; the rest of its variables its SDK reads by itself. They are
 * often set for a whole cluster, so none of them stops a start: what cannot be done is warned of and done without
 * (OpenTelemetry specification, "Environment Variable Specification").
 */
export function readTraces(read: EnvironmentReader): TraceSettings | undefined {
  const word = (name: string) => read.text(name)?.toLowerCase();
  const without = (name: string, why: string) => void read.warnings.push(`${name}: ${why}`);
  const exporters = word("OTEL_TRACES_EXPORTER")?.split(/\s*,\s*/);
  const [protocolName] = PROTOCOLS.filter((name) => read.has(name));
  const endpoints = ENDPOINTS.filter((name) => read.has(name));

  if (word("OTEL_SDK_DISABLED") === "true" || exporters?.includes("none")) return undefined;
  if (exporters === undefined && endpoints.length === 0) return undefined;
  const others = exporters?.filter((name) => name !== "otlp") ?? [];
  if (others.length > 0) without("OTEL_TRACES_EXPORTER", "only otlp is known here; others get no traces");
  if (exporters && others.length === exporters.length) return undefined;
  if (protocolName !== undefined && !word(protocolName)?.startsWith("http/")) {
    without(protocolName, "traces are sent over HTTP (port 4318) and by nothing else; none are sent");
    return undefined;
  }
  const unusable = endpoints.find(
    (name) => !/^https?:$/.test(URL.parse(read.text(name) ?? "")?.protocol ?? ""),
  );
  if (unusable !== undefined) {
    without(unusable, "must be an http or https URL; no traces are sent");
    return undefined;
  }
  return readSampler(read, without);
}

function readSampler(read: EnvironmentReader, without: (name: string, why: string) => void): TraceSettings {
  const [name, argument] = ["OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"] as const;
  const asked = read.text(name)?.toLowerCase();
  const sampler = asked === undefined ? SAMPLERS[0] : SAMPLERS.find((known) => known === asked);
  if (sampler === undefined) without(name, `must be one of ${SAMPLERS.join(", ")}; ${SAMPLERS[0]} is used`);
  const ratio = Number(read.text(argument) ?? "1");
  const usable = ratio >= 0 && ratio <= 1;
  // Other samplers have arguments of their own, such as the address of a collector.
  if (!usable && sampler?.endsWith("traceidratio")) without(argument, "must be from 0 to 1; 1 is used");
  return { sampler: sampler ?? "parentbased_always_on", samplerRatio: usable ? ratio : 1 };
}
