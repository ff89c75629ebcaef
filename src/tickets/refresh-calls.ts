import type { TicketTimings } from "../config/ticket-timings.ts";
import { exponentialMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Reloadable } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";
import { fingerprint } from "./pair.ts";
import { type CallOutcome, callOutcome } from "./protocol/failed-call.ts";

/** The two calls of a refresh. They must not be repeated underneath: a token call rotates the token each time. */
export interface TicketUpstream {
  fetchAccessToken(secret: Secret, signal: AbortSignal): Promise<IssuedCredential>;
  fetchSignTicket(accessToken: Secret, signal: AbortSignal): Promise<IssuedCredential>;
}

interface IssuedCredential {
  value: Secret;
  lifeMs: number;
}

/** A call that brought nothing. `late`: it was not begun, because the lease would have ended before it. */
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

const SIGN_TRIES = 6;
/** Between the tries, at the vendor's minute of overlap. */
const SIGN_RETRY = { baseMs: 200, maxMs: 2_000 };

/** The vendor's two calls as a refresh makes them: within the lease, with the secret that works, and the ticket with patience. */
export function createRefreshCalls({ secrets, upstream, clock, timings }: RefreshCallsOptions) {
  const { tokenTimeoutMs, signTimeoutMs, overlapMs } = timings;

  /** Not begun unless it fits: measured right before the call, since the process may just have slept. */
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
     * A new token; a second secret is tried when the first is refused (ticket-cache.md 1, case 27). `renew` prolongs the
     * lease for that, and returns its deadline.
     */
    async token(
      preferred: string | undefined,
      deadline: number,
      renew: () => Promise<number>,
    ): Promise<(IssuedCredential & { secretId: string }) | FailedCall> {
      const known = secrets().map((secret) => ({ secret, secretId: fingerprint(secret) }));
      known.sort((a, b) => Number(b.secretId === preferred) - Number(a.secretId === preferred));
      let last: FailedCall = { failed: "fatal" };
      for (const { secret, secretId } of known) {
        const ends = last.error === undefined ? deadline : await renew();
        const result = await timed(tokenTimeoutMs, ends, (signal) =>
          upstream.fetchAccessToken(secret, signal),
        );
        if ("done" in result) return { ...result.done, secretId };
        // Out of time for the next one: what the vendor said of the one before still counts.
        if (result.failed !== "late" || last.error === undefined) last = result;
        if (result.failed !== "refused") break;
      }
      return last;
    },

    /** A SIGN ticket for the token, asked for again after each failure but a refusal, while the lease lasts. */
    async signTicket(accessToken: Secret, deadline: number): Promise<IssuedCredential | FailedCall> {
      let last: FailedCall = { failed: "late" };
      for (let i = 0; i < SIGN_TRIES; i++) {
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
