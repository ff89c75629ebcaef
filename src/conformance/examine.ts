import { type Lab, NoLaunch, type RuleFinding } from "./lab.ts";
import { CONFORMANCE_RULE_NAMES, CONFORMANCE_RULES, type ConformanceRuleName } from "./rules.ts";

export interface Result extends RuleFinding {
  rule: ConformanceRuleName;
  text: string;
}

/** Examines the rules one after the other, all unless told; `seen` hears of each as it is done. */
export async function checkRules(
  lab: Lab,
  names: readonly ConformanceRuleName[] = CONFORMANCE_RULE_NAMES,
  seen: (result: Result) => void = () => undefined,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const rule of CONFORMANCE_RULE_NAMES.filter((name) => names.includes(name))) {
    const examined = CONFORMANCE_RULES[rule];
    const finding = await examined.examine(lab).catch(asFinding);
    const result = { rule, text: examined.text, ...finding };
    results.push(result);
    seen(result);
  }
  return results;
}

/** A backend that gives no launch, or does not answer at all, has not kept the rule. */
function asFinding(error: unknown): RuleFinding {
  const evidence =
    error instanceof NoLaunch ? error.message : `no answer: ${String((error as Error).message)}`;
  return { ok: false, evidence };
}
