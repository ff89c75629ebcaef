import { collectDefaultMetrics, Registry } from "prom-client";
import { createMetrics } from "../../src/telemetry/metrics.ts";

/** The names of all series that a process may show: ours, and those of the library. */
export function knownMetrics(): ReadonlySet<string> {
  const build = { version: "", role: "", livemode: false };
  const { registry } = createMetrics({ appId: "", build, process: false });
  const library = new Registry();
  collectDefaultMetrics({ register: library });
  const metrics = [registry, library].flatMap(
    (each) => each.getMetricsAsArray() as unknown as { name: string; type: string }[],
  );
  return new Set(
    metrics.flatMap(({ name, type }) =>
      type === "histogram" ? ["_bucket", "_sum", "_count"].map((suffix) => name + suffix) : [name],
    ),
  );
}

/** The names of metrics in a PromQL expression. */
export const metricsIn = (expression: string): string[] => [
  ...new Set(expression.match(/\b(?:faceid|nodejs|process)_[a-z0-9_]+\b/g) ?? []),
];

/** The anchors of the headings of a Markdown text, as repository sites make them. */
export const anchorsOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
