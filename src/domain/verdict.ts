import { type NextStep, type Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { ErrorReason } from "../errors.ts";
import { CLASSES, type CodeEntry, type CodeMeaning } from "./codes.ts";
import { RECORD_RETENTION_MS } from "./order-number.ts";

/** A verdict, its reason, and the next step for the person. */
export interface Judgement {
  verdict: Verdict;
  reason: VerdictReason;
  nextStep: NextStep;
  billed: boolean;
}

/**
 * What the vendor's response to a result query says about the person, or why it says nothing (protocol.md 8.2).
 * `ageMs` is the order's age, if known; past the vendor's retention a missing record has expired. `withPhoto`: the order is
 * known to have been compared with a photo supplied by the caller.
 */
export function judge(
  { codeClass, meaning, billed }: CodeEntry,
  ageMs: number | undefined,
  withPhoto = false,
): Judgement | { error: ErrorReason } {
  const { withoutPhoto } = meaning;
  const effective: CodeMeaning = withoutPhoto && !withPhoto ? CLASSES[withoutPhoto] : meaning;
  if (effective.kind === "failure") return { error: effective.error };
  const { verdict, reason, nextStep } = effective;
  const expired = codeClass === "noRecord" && ageMs !== undefined && ageMs > RECORD_RETENTION_MS;
  return { verdict, reason: expired ? VerdictReason.EXPIRED : reason, nextStep, billed };
}

/** The name of an enum's value as callers see it, without the enum's prefix: `PASSED`. */
export function enumName(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? "UNSPECIFIED";
}
