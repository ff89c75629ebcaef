import { type Lab, NoLaunch, notExamined, type RuleFinding } from "./lab.ts";
import { summary } from "./overall.ts";
import {
  CONFORMANCE_RULE_NAMES,
  CONFORMANCE_RULES,
  type ConformanceRule,
  type ConformanceRuleName,
} from "./rules.ts";

export interface Result extends RuleFinding {
  rule: ConformanceRuleName;
  text: string;
}

/** Examines the named rules in sequence, by default all; `onResult` is called after each. */
export async function checkRules(
  lab: Lab,
  names: readonly ConformanceRuleName[] = CONFORMANCE_RULE_NAMES,
  onResult: (result: Result) => void = () => undefined,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const rule of CONFORMANCE_RULE_NAMES.filter((name) => names.includes(name))) {
    const requirement: ConformanceRule = CONFORMANCE_RULES[rule];
    const seen = lab.breaches().length;
    const { outcome, evidence } = await examine(lab, requirement);
    const breaches = outcome === "kept" ? [] : lab.breaches().slice(seen);
    const noted = breaches.length === 0 ? "" : `; the vendor noted ${summary(breaches)}`;
    const result = { rule, text: requirement.text, outcome, evidence: masked(lab, evidence + noted) };
    results.push(result);
    onResult(result);
  }
  return results;
}

/** A fault counts once: what it keeps from being examined is not broken as well. */
async function examine(lab: Lab, rule: ConformanceRule): Promise<RuleFinding> {
  const { needs, seenAnyway } = rule;
  const missing = await lab.lacks(needs);
  if (missing !== undefined && !seenAnyway) return notExamined(missing);
  const finding = await rule.examine(lab).catch(asFinding);
  return missing !== undefined && finding.outcome === "kept" ? notExamined(missing) : finding;
}

function asFinding(error: unknown): RuleFinding {
  const { message } = error as Error;
  return notExamined(error instanceof NoLaunch ? message : `no answer: ${message}`);
}

/** The text without anything that a backend must not have said in the first place. */
function masked({ sandbox, backend }: Lab, text: string): string {
  const hidden = [sandbox.secret, ...sandbox.issuedValues(), ...backend.idNumbers];
  return hidden.reduce((rest, value) => rest.replaceAll(value, "***"), text);
}
