/** So many in each window of so many milliseconds. */
export interface Rate {
  count: number;
  perMs: number;
}

const WINDOWS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `COUNT/s`, `/m`, `/h` or `/d`, several separated by commas, or `off` for none; undefined if it is none of these. */
export function parseRates(text: string): Rate[] | undefined {
  if (text === "off") return [];
  const rates = text.split(",").map((part) => {
    const [, count, window = ""] = /^([1-9]\d{0,8})\/([smhd])$/.exec(part.trim()) ?? [];
    return { count: Number(count), perMs: WINDOWS[window] ?? 0 };
  });
  return rates.every(({ perMs }) => perMs > 0) ? rates : undefined;
}
