import type { EnvironmentReader } from "../lib/environment.ts";

export interface TraceSettings {
  /**
   * A sampler name from the OpenTelemetry specification, and the fraction its ratio samplers keep, 0 to 1.
   */
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
/** The trace-specific variable takes precedence. */
const PROTOCOLS = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

/**
 * Reads the OpenTelemetry variables that enable tracing; the SDK reads the others itself. They are often set
 * for a whole cluster, so an invalid one never prevents a start: it is ignored with a warning (OpenTelemetry
 * specification, "Environment Variable Specification").
 */
export function readTraces(read: EnvironmentReader): TraceSettings | undefined {
  const lowerCase = (name: string) => read.text(name)?.toLowerCase();
  const warn = (name: string, why: string) => void read.warnings.push(`${name}: ${why}`);
  const exporters = lowerCase("OTEL_TRACES_EXPORTER")?.split(/\s*,\s*/);
  const [protocolName] = PROTOCOLS.filter((name) => read.has(name));
  const endpoints = ENDPOINTS.filter((name) => read.has(name));

  if (lowerCase("OTEL_SDK_DISABLED") === "true" || exporters?.includes("none")) return undefined;
  if (exporters === undefined && endpoints.length === 0) return undefined;
  const others = exporters?.filter((name) => name !== "otlp") ?? [];
  if (others.length > 0) warn("OTEL_TRACES_EXPORTER", "only otlp is known here; others get no traces");
  if (exporters && others.length === exporters.length) return undefined;
  if (protocolName !== undefined && !lowerCase(protocolName)?.startsWith("http/")) {
    warn(protocolName, "traces are sent over HTTP (port 4318) and by nothing else; none are sent");
    return undefined;
  }
  const unusable = endpoints.find(
    (name) => !/^https?:$/.test(URL.parse(read.text(name) ?? "")?.protocol ?? ""),
  );
  if (unusable !== undefined) {
    warn(unusable, "must be an http or https URL; no traces are sent");
    return undefined;
  }
  return readSampler(read, warn);
}

function readSampler(read: EnvironmentReader, warn: (name: string, why: string) => void): TraceSettings {
  const [name, argument] = ["OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"] as const;
  const requested = read.text(name)?.toLowerCase();
  const sampler = requested === undefined ? SAMPLERS[0] : SAMPLERS.find((known) => known === requested);
  if (sampler === undefined) warn(name, `must be one of ${SAMPLERS.join(", ")}; ${SAMPLERS[0]} is used`);
  const ratio = Number(read.text(argument) ?? "1");
  const usable = ratio >= 0 && ratio <= 1;
  // Other samplers take different arguments, such as a collector's address.
  if (!usable && sampler?.endsWith("traceidratio")) warn(argument, "must be from 0 to 1; 1 is used");
  return { sampler: sampler ?? "parentbased_always_on", samplerRatio: usable ? ratio : 1 };
}
