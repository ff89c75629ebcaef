import { type NextStep, type Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { ErrorReason } from "../errors.ts";
import { CLASSES, type ClassMeaning, codeEntry } from "./codes.ts";
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
  code: string,
  ageMs: number | undefined,
  withPhoto = false,
): Judgement | { error: ErrorReason } {
  const { codeClass, billed } = codeEntry(code);
  const meaning: ClassMeaning = CLASSES[codeClass];
  const { withoutPhoto } = meaning;
  const { result }: ClassMeaning = withoutPhoto && !withPhoto ? CLASSES[withoutPhoto] : meaning;
  if ("error" in result) return result;
  const expired = codeClass === "noRecord" && ageMs !== undefined && ageMs > RECORD_RETENTION_MS;
  return { ...result, billed, ...(expired && { reason: VerdictReason.EXPIRED }) };
}
