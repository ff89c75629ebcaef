import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";

/** One series over time, in the notation of `promtool test rules`. */
export interface InputSeries {
  series: string;
  values: string;
}

export interface Question {
  series: readonly InputSeries[];
  /** Asked at that moment, seconds: the alert that must fire then, or undefined for none at all. */
  at: readonly { seconds: number; firing: string | undefined }[];
}

export const INTERVAL_SECONDS = 15;

/** What promtool has against the answers of a rule file; "" when they are as asked. */
export function wrongAnswers(rules: string, { series, at }: Question): string {
  const test = {
    rule_files: [rules],
    evaluation_interval: `${INTERVAL_SECONDS}s`,
    tests: [
      {
        interval: `${INTERVAL_SECONDS}s`,
        input_series: series,
        promql_expr_test: at.map(({ seconds, firing }) => ({
          expr: `group by (alertname) (ALERTS{alertstate="firing"${firing ? `,alertname="${firing}"` : ""}})`,
          eval_time: `${seconds}s`,
          exp_samples: firing ? [{ labels: `{alertname="${firing}"}`, value: 1 }] : [],
        })),
      },
    ],
  };
  return promtool("test", "rules", stringify(test));
}

/** What promtool has against a rule file; "" when nothing. */
export const ruleProblems = (rules: string): string => promtool("check", "rules", rules);

function promtool(verb: string, what: string, file: string): string {
  const directory = mkdtempSync(join(tmpdir(), "promtool-"));
  try {
    const path = join(directory, "file.yaml");
    writeFileSync(path, file);
    execFileSync("promtool", [verb, what, path], { stdio: "pipe", encoding: "utf8" });
    return "";
  } catch (error) {
    const {
      stdout = "",
      stderr = "",
      message,
    } = error as { stdout?: string; stderr?: string; message: string };
    return stdout + stderr || message;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
