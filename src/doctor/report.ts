import type { Check, CheckStatus } from "./check.ts";

const MARKS: Readonly<Record<CheckStatus, string>> = { ok: "ok  ", warn: "WARN", fail: "FAIL", skip: "-   " };

/** A table for a terminal, with the cure below each warning and failure. */
export function printTable(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ check }) => check.length));
  const lines = checks.flatMap(({ check, status, detail, cure }) => [
    `${MARKS[status]}  ${check.padEnd(width)}  ${detail}`,
    ...(cure === undefined ? [] : [`${" ".repeat(width + 8)}-> ${cure}`]),
  ]);
  const count = (status: CheckStatus) => checks.filter((each) => each.status === status).length;
  return `${lines.join("\n")}\n\n${count("fail")} to repair, ${count("warn")} to look at, ${count("ok")} well.`;
}

/** The checks and the exit code as a JSON document. */
export const checksAsJson = (checks: readonly Check[]): string =>
  JSON.stringify({ exit_code: exitCodeOf(checks), checks }, null, 2);

/** 0: all is well; 1: something to look at; 2: something to repair. */
export function exitCodeOf(checks: readonly Check[]): number {
  if (checks.some(({ status }) => status === "fail")) return 2;
  return checks.some(({ status }) => status === "warn") ? 1 : 0;
}
