/** The value below which a share of the others lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (!Number.isInteger(middle)) return sorted[Math.floor(middle)]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export const fixed = (value: number, digits = 0): string =>
  Number.isNaN(value) ? "" : value.toFixed(digits);

/** Median and, in brackets, the smallest and the largest. */
export function spread(values: readonly number[], digits = 2): string {
  return `${fixed(median(values), digits)} (${fixed(Math.min(...values), digits)} to ${fixed(Math.max(...values), digits)})`;
}

/** The mean of the values and its standard error. */
export function meanAndError(values: readonly number[]): string {
  const of = (numbers: readonly number[]) =>
    numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const mean = of(values);
  const variance = of(values.map((value) => (value - mean) ** 2));
  return `${fixed(mean, 3)} ± ${fixed(Math.sqrt(variance / (values.length - 1)), 3)}`;
}
