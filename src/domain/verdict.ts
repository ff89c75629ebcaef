import { type NextStep, type Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { ErrorReason } from "../errors.ts";
import { CLASSES, type CodeEntry, type CodeMeaning } from "./codes.ts";
import { RECORD_RETENTION_MS } from "./order.ts";

/** A verdict and what follows from it. */
export interface Judgement {
  verdict: Verdict;
  reason: VerdictReason;
  nextStep: NextStep;
  billed: boolean;
}

/**
 * What the vendor's answer to a result query says about the person, or why it says nothing (protocol.md 8.2).
 * `ageMs` is the order's age where it is known; past the vendor's retention a missing record has expired. `withPhoto` says
 * that the order is known to have been compared with a photo of the caller's.
 */
export function judge(
  { codeClass, meaning, billed }: CodeEntry,
  ageMs: number | undefined,
  withPhoto = false,
): Judgement | { error: ErrorReason } {
  const { withoutPhoto } = meaning;
  const said: CodeMeaning = withoutPhoto && !withPhoto ? CLASSES[withoutPhoto] : meaning;
  if (said.kind === "failure") return { error: said.error };
  const { verdict, reason, nextStep } = said;
  const expired = codeClass === "noRecord" && ageMs !== undefined && ageMs > RECORD_RETENTION_MS;
  return { verdict, reason: expired ? VerdictReason.EXPIRED : reason, nextStep, billed };
}
