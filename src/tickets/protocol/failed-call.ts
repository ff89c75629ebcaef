import type { TicketTimings } from "../../config/ticket-timings.ts";
import { UpstreamError } from "../../errors.ts";
import { backoffMs } from "../../lib/backoff.ts";
import type { FailedCall } from "../refresh-calls.ts";

/**
 * What a failed call says about the token (ticket-cache.md 2.6):
 * - `definite`: nothing was issued; retry soon;
 * - `throttled`: nothing was issued; retry late;
 * - `fatal`: nothing was issued, and nothing will be until the configuration changes;
 * - `refused`: the vendor does not accept the credential: the secret, or on a ticket call the token;
 * - `unknown`: anything may have happened.
 */
export type CallOutcome = "definite" | "throttled" | "fatal" | "refused" | "unknown";

/**
 * Classifies a failed token or ticket call. Anything not known to be harmless is `unknown`: a wrong `definite` costs an
 * outage when the old token dies, a wrong `unknown` only one more rotation.
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

/** What the delay after a failed token call depends on. */
export interface RetryContext {
  /** Number of consecutive failed refreshes before this one. */
  failures: number;
  /** The pair ends so soon that delays must be short. */
  urgent: boolean;
  /** Fingerprint of the configured secrets. */
  credentials: string;
  /** Duration of the failed call, milliseconds. */
  spentMs: number;
  timings: TicketTimings;
  random: () => number;
}

export interface AbortReport {
  outcome: "clean" | "unknown";
  backoffMs: number;
  of?: string;
  /** How long the report is worth repeating while the store is unreachable, milliseconds. */
  insistMs: number;
}

/**
 * Delay after a call with an unknown outcome, milliseconds: short, since the old token may be dying, but not while the lost
 * call may still reach the vendor.
 */
function quiescenceMs({ failures, spentMs, timings }: RetryContext): number {
  const { tokenTimeoutMs, quiesceMs } = timings;
  // Timed out far too late: the process was suspended, and its call may have left only when it resumed.
  if (spentMs > tokenTimeoutMs + quiesceMs / 3) return tokenTimeoutMs;
  if (failures === 0) return quiesceMs;
  // Lost again: every second counts, and the call's own duration is quiet time too. Nine in a row still fit the overlap.
  return Math.max(Math.ceil(quiesceMs / 6), quiesceMs - spentMs);
}

/** How a refresh reports a failed token call (ticket-cache.md 2.4 to 2.6). Pure but for `random`. */
export function abortAfter({ failed }: FailedCall, context: RetryContext): AbortReport {
  const { failures, urgent, credentials, timings, random } = context;
  const { backoffMs: soon, slowBackoffMs: slow, leaseMs, overlapMs } = timings;
  const delayMs = (baseMs: number, maxMs: number) =>
    Math.ceil(backoffMs({ baseMs, maxMs }, failures, random));
  switch (failed) {
    case "unknown":
      return { outcome: "unknown", backoffMs: quiescenceMs(context), insistMs: overlapMs };
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
      // Binds only processes with the same credentials: one with the right secret need not wait.
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
