import type { EnvironmentReader } from "../lib/environment.ts";

/** At most `count` events per `perMs` milliseconds. */
export interface Rate {
  count: number;
  perMs: number;
}

const WINDOWS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses `COUNT/s`, `/m`, `/h` or `/d`, several separated by commas, or `off`; undefined if invalid. */
function parseRates(text: string): Rate[] | undefined {
  if (text === "off") return [];
  const rates = text.split(",").map((part) => {
    const [, count, window = ""] = /^([1-9]\d{0,8})\/([smhd])$/.exec(part.trim()) ?? [];
    return { count: Number(count), perMs: WINDOWS[window] ?? 0 };
  });
  return rates.every(({ perMs }) => perMs > 0) ? rates : undefined;
}

/** The rates in a variable; none if it is not set. A problem is added to the reader's. */
export function readRates(read: EnvironmentReader, name: string): readonly Rate[] {
  const rule = "must be off, or counts such as 6/m or 6/m,30/d (s, m, h, d)";
  return read.parsed<readonly Rate[]>(name, [], rule, parseRates);
}
