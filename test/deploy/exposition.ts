import type { InputSeries } from "./promtool-tests.ts";

/** What one process told at one moment: values by series, with their kinds by metric name. */
export interface Scrape {
  values: ReadonlyMap<string, number>;
  kinds: ReadonlyMap<string, string>;
}

/** Scrapes an admin listener, as Prometheus would do it for `instance`. */
export async function scrape(adminUrl: string, instance = "a:9090"): Promise<Scrape> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const values = new Map<string, number>();
  for (const [, name = "", labels = "", value] of text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm)) {
    const all = [...labels.split(",").filter((label) => label !== ""), `instance="${instance}"`];
    values.set(`${name}{${all.join(",")}}`, Number(value));
  }
  const kinds = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(
    ([, name = "", kind = ""]) => [name, kind] as const,
  );
  return { values, kinds: new Map(kinds) };
}

/** Sum of all series of a metric that have every given text in their labels. */
export function total({ values }: Scrape, name: string, ...labels: string[]): number {
  return [...values]
    .filter(([series]) => series.startsWith(`${name}{`) && labels.every((label) => series.includes(label)))
    .reduce((sum, [, value]) => sum + value, 0);
}

/**
 * The course of every series: `quiet` samples as before the cause, then `trouble` samples as after it. Real values; only
 * their times are made up. With `goesOn` what was counted between the two scrapes is counted again in each sample.
 */
export function course(
  before: readonly Scrape[],
  after: readonly Scrape[],
  { quiet, trouble, goesOn }: { quiet: number; trouble: number; goesOn: boolean },
): InputSeries[] {
  const was = merged(before);
  const is = merged(after);
  return [...new Set([...was.values.keys(), ...is.values.keys()])].map((series) => {
    const [first, second] = [was.values.get(series), is.values.get(series)];
    const step = goesOn && isCounter(series, is) ? (second ?? 0) - (first ?? 0) : 0;
    // As Prometheus marks the series of a process that it cannot scrape any more.
    if (second === undefined) return { series, values: `${constant(first, quiet)} stale` };
    return {
      series,
      values: `${constant(first, quiet)} ${second}+${step}x${trouble - 1}`,
    };
  });
}

const constant = (value: number | undefined, samples: number) =>
  value === undefined ? `_x${samples}` : `${value}+0x${samples - 1}`;

function merged(scrapes: readonly Scrape[]): Scrape {
  return {
    values: new Map(scrapes.flatMap(({ values }) => [...values])),
    kinds: new Map(scrapes.flatMap(({ kinds }) => [...kinds])),
  };
}

function isCounter(series: string, { kinds }: Scrape): boolean {
  const name = series.split("{", 1)[0] ?? "";
  return kinds.get(name) === "counter" || kinds.get(name.replace(/_(bucket|sum|count)$/, "")) === "histogram";
}
