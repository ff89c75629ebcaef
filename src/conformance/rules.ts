import { attempts } from "./attempts.ts";
import { input } from "./input.ts";
import type { Lab, Need, RuleFinding } from "./lab.ts";
import { overall } from "./overall.ts";
import { tokens } from "./tokens.ts";
import { verdicts } from "./verdicts.ts";

/** A requirement for a backend, and how to examine it. */
export interface ConformanceRule {
  /** The requirement as a sentence. */
  text: string;
  /** What the backend must do for the rule to mean anything: one that does nothing breaks little. */
  needs: Need;
  /** Whether a breach can be seen even of a backend that lacks it. */
  seenAnyway?: boolean;
  /** Throws `NoLaunch` if a launch fails that is not the rule's subject. */
  examine(lab: Lab): Promise<RuleFinding>;
}

/** The rules in order of examination: harmless ones first, those over all calls last. */
export const CONFORMANCE_RULES = {
  ...attempts,
  ...verdicts,
  ...input,
  ...tokens,
  ...overall,
} satisfies Record<string, ConformanceRule>;

export type ConformanceRuleName = keyof typeof CONFORMANCE_RULES;

export const CONFORMANCE_RULE_NAMES = Object.keys(CONFORMANCE_RULES) as ConformanceRuleName[];
