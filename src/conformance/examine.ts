import { type Lab, NoLaunch, type RuleFinding } from "./lab.ts";
import { CONFORMANCE_RULE_NAMES, CONFORMANCE_RULES, type ConformanceRuleName } from "./rules.ts";

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
    const requirement = CONFORMANCE_RULES[rule];
    const finding = await requirement.examine(lab).catch(asFinding);
    const result = { rule, text: requirement.text, ...finding };
    results.push(result);
    onResult(result);
  }
  return results;
}

/** A backend that returns no launch, or does not respond at all, has broken the rule. */
function asFinding(error: unknown): RuleFinding {
  const evidence =
    error instanceof NoLaunch ? error.message : `no answer: ${String((error as Error).message)}`;
  return { ok: false, evidence };
}
