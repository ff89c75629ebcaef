import type { TicketTimings } from "../config/ticket-timings.ts";
import { exponentialMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Reloadable } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";
import { fingerprint } from "./pair.ts";
import { type CallOutcome, callOutcome } from "./protocol/failed-call.ts";

/** The two calls of a refresh. Implementations must not retry: each token call rotates the token. */
export interface TicketUpstream {
  fetchAccessToken(secret: Secret, signal: AbortSignal): Promise<IssuedCredential>;
  fetchSignTicket(accessToken: Secret, signal: AbortSignal): Promise<IssuedCredential>;
}

interface IssuedCredential {
  value: Secret;
  lifeMs: number;
}

/** A failed call. `late`: not attempted, because it could not finish within the lease. */
export interface FailedCall {
  failed: CallOutcome | "late";
  error?: unknown;
}

export interface RefreshCallsOptions {
  secrets: Reloadable<readonly Secret[]>;
  upstream: TicketUpstream;
  clock: Clock;
  timings: TicketTimings;
}

const SIGN_ATTEMPTS = 6;
/** Delays between attempts at the vendor's one-minute overlap; scaled with TOKEN_OVERLAP. */
const SIGN_RETRY = { baseMs: 200, maxMs: 2_000 };

/** The vendor's two calls as a refresh makes them: within the lease, with a working secret, retrying the ticket. */
export function createRefreshCalls({ secrets, upstream, clock, timings }: RefreshCallsOptions) {
  const { tokenTimeoutMs, signTimeoutMs, overlapMs } = timings;

  /** Skipped unless it fits the lease; checked immediately before, in case the process was suspended. */
  async function timed<T>(ms: number, deadline: number, call: (signal: AbortSignal) => Promise<T>) {
    if (clock.monotonic() + ms > deadline) return { failed: "late" } satisfies FailedCall;
    try {
      return { done: await withDeadline(clock, ms, call) };
    } catch (error) {
      return { failed: callOutcome(error), error } satisfies FailedCall;
    }
  }

  return {
    /**
     * A new token. If the vendor refuses the first secret, the next is tried (ticket-cache.md 1, case 27), for which `renew`
     * extends the lease and returns its deadline.
     */
    async token(
      preferred: string | undefined,
      deadline: number,
      renew: () => Promise<number>,
    ): Promise<(IssuedCredential & { secretId: string }) | FailedCall> {
      const candidates = secrets().map((secret) => ({ secret, secretId: fingerprint(secret) }));
      candidates.sort((a, b) => Number(b.secretId === preferred) - Number(a.secretId === preferred));
      let last: FailedCall = { failed: "fatal" };
      for (const { secret, secretId } of candidates) {
        const endsAt = last.error === undefined ? deadline : await renew();
        const result = await timed(tokenTimeoutMs, endsAt, (signal) =>
          upstream.fetchAccessToken(secret, signal),
        );
        if ("done" in result) return { ...result.done, secretId };
        // No time for the next secret: the vendor's response to the previous one still counts.
        if (result.failed !== "late" || last.error === undefined) last = result;
        if (result.failed !== "refused") break;
      }
      return last;
    },

    /** A SIGN ticket for the token, retried while the lease lasts, except when refused or throttled. */
    async signTicket(accessToken: Secret, deadline: number): Promise<IssuedCredential | FailedCall> {
      let last: FailedCall = { failed: "late" };
      for (let i = 0; i < SIGN_ATTEMPTS; i++) {
        if (i > 0) await clock.sleep((exponentialMs(SIGN_RETRY, i - 1) * overlapMs) / 60_000);
        const result = await timed(signTimeoutMs, deadline, (signal) =>
          upstream.fetchSignTicket(accessToken, signal),
        );
        if ("done" in result) return result.done;
        if (result.failed === "late") return last;
        last = result;
        if (result.failed === "refused" || result.failed === "throttled") return last;
      }
      return last;
    },
  };
}
