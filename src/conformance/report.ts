import type { Result } from "./examine.ts";

/** One rule for a terminal: whether it is kept, its name, what was seen, and what it asks for where it is not kept. */
export function printResult({ ok, rule, text, evidence }: Result): string {
  const line = `${ok ? "pass" : "FAIL"}  ${rule.padEnd(28)}  ${evidence}`;
  return ok ? line : `${line}\n      must hold: ${text}`;
}

/** The last line. */
export function printSummary(results: readonly Result[]): string {
  const failed = results.filter(({ ok }) => !ok);
  if (failed.length === 0) return `All ${results.length} rules are kept.`;
  return `${failed.length} of ${results.length} rules are broken: ${failed.map(({ rule }) => rule).join(", ")}`;
}

/** The same for machines. */
export function printJson(results: readonly Result[]): string {
  return JSON.stringify({ ok: results.every(({ ok }) => ok), results }, null, 2);
}
