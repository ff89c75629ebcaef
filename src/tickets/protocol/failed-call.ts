import type { TicketTimings } from "../../config/ticket-timings.ts";
import { UpstreamError } from "../../errors.ts";
import { backoffMs } from "../../lib/backoff.ts";
import type { FailedCall } from "../refresh-calls.ts";

/**
 * What a failed call says about the token (ticket-cache.md 2.6):
 * - `definite`: nothing was issued; try again soon;
 * - `throttled`: nothing was issued; try again late;
 * - `fatal`: nothing was issued and nothing will be until somebody changes the configuration;
 * - `refused`: the credential that was presented is not accepted: the secret, or on a ticket call the token;
 * - `unknown`: anything may have happened.
 */
export type CallOutcome = "definite" | "throttled" | "fatal" | "refused" | "unknown";

/**
 * Classifies a failed token or ticket call. What is not known to be harmless is `unknown`: a wrong `definite` costs an
 * outage when the old token dies, a wrong `unknown` one more rotation.
 */
export function callOutcome(error: unknown): CallOutcome {
  if (!(error instanceof UpstreamError)) return "unknown";
  if (error.failure === "not_sent") return "definite";
  if (error.failure === "throttled") return "throttled";
  if (error.failure !== "code" || error.entry === undefined) return "unknown";
  switch (error.entry.codeClass) {
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

/** What the state has to say so that the delay is right. */
export interface RetryContext {
  /** Refreshes in a row that failed before this one. */
  failures: number;
  /** The pair is so old that delays must be short. */
  urgent: boolean;
  /** Fingerprint of the configured secrets. */
  credentials: string;
  /** How long the call took that failed, milliseconds. */
  spentMs: number;
  timings: TicketTimings;
  random: () => number;
}

export interface AbortReport {
  outcome: "clean" | "unknown";
  backoffMs: number;
  of?: string;
  /** How long it is worth repeating the report while the store is away, milliseconds. */
  insistMs: number;
}

/**
 * How long to wait after a call whose end nobody knows, milliseconds: soon, since the old token may be dying; but not while
 * the lost call may still arrive.
 */
function quiescenceMs({ failures, spentMs, timings }: RetryContext): number {
  const { tokenTimeoutMs, quiesceMs } = timings;
  // Given up far too late: the process was stopped, and its call may have left only when it went on.
  if (spentMs > tokenTimeoutMs + quiesceMs / 3) return tokenTimeoutMs;
  if (failures === 0) return quiesceMs;
  // Lost again, every second counts, and the time spent waiting is quiet time too: nine in a row still fit the overlap.
  return Math.max(Math.ceil(quiesceMs / 6), quiesceMs - spentMs);
}

/** How a refresh reports that its token call brought nothing (ticket-cache.md 2.4 to 2.6). Pure but for `random`. */
export function abortAfter({ failed }: FailedCall, circumstances: RetryContext): AbortReport {
  const { failures, urgent, credentials, timings, random } = circumstances;
  const { backoffMs: soon, slowBackoffMs: slow, leaseMs, overlapMs } = timings;
  const delayMs = (baseMs: number, maxMs: number) =>
    Math.ceil(backoffMs({ baseMs, maxMs }, failures, random));
  switch (failed) {
    case "unknown":
      return { outcome: "unknown", backoffMs: quiescenceMs(circumstances), insistMs: overlapMs };
    case "definite":
      return {
        outcome: "clean",
        backoffMs: delayMs(soon.base, urgent ? soon.max / 6 : soon.max),
        insistMs: leaseMs,
      };
    case "throttled":
      return { outcome: "clean", backoffMs: delayMs(slow.base, slow.max), insistMs: leaseMs };
    case "fatal":
    case "refused":
      // Only for those who are configured alike: whoever has the right secret need not wait.
      return {
        outcome: "clean",
        backoffMs: delayMs(slow.base, slow.max / 2),
        of: credentials,
        insistMs: leaseMs,
      };
    case "late":
      return { outcome: "clean", backoffMs: 0, insistMs: leaseMs };
  }
}
