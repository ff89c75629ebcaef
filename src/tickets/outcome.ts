import { codeEntry } from "../domain/codes.ts";
import { UpstreamError } from "../errors.ts";

/**
 * What a failed call says about the token (ticket-cache.md 2.6):
 * - `definite`: nothing was issued; try again soon;
 * - `throttled`: nothing was issued; try again late;
 * - `fatal`: nothing was issued and nothing will be until somebody changes the configuration;
 * - `refused`: the credential that was presented is not accepted: the secret, or on a ticket call the token;
 * - `unknown`: anything may have happened.
 */
export type Outcome = "definite" | "throttled" | "fatal" | "refused" | "unknown";

/**
 * Classifies a failed token or ticket call. What is not known to be harmless is `unknown`: a wrong `definite` costs an
 * outage when the old token dies, a wrong `unknown` one more rotation.
 */
export function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof UpstreamError)) return "unknown";
  if (error.failure === "not_sent") return "definite";
  if (error.failure === "throttled") return "throttled";
  if (error.failure !== "code" || error.code === undefined) return "unknown";
  switch (codeEntry(error.code).codeClass) {
    case "refused":
      return "refused";
    case "misconfigured":
    case "service":
      return "fatal";
    case "rate":
      return "throttled";
    default:
      return "unknown";
  }
}
