import { attempts } from "./attempts.ts";
import { input } from "./input.ts";
import type { Lab, RuleFinding } from "./lab.ts";
import { whole } from "./overall.ts";
import { tokens } from "./tokens.ts";
import { verdicts } from "./verdicts.ts";

/** One thing that a backend must do, and how to find out. */
export interface ConformanceRule {
  /** What holds, in a sentence. */
  text: string;
  examine(lab: Lab): Promise<RuleFinding>;
}

/** The rules in the order of their examination: gentle ones first, and last those that look back on everything. */
export const CONFORMANCE_RULES = {
  ...attempts,
  ...verdicts,
  ...input,
  ...tokens,
  ...whole,
} satisfies Record<string, ConformanceRule>;

export type ConformanceRuleName = keyof typeof CONFORMANCE_RULES;

export const CONFORMANCE_RULE_NAMES = Object.keys(CONFORMANCE_RULES) as ConformanceRuleName[];
