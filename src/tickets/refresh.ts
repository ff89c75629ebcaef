import type { TicketTimings } from "../domain/timings.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Secret } from "../lib/secret.ts";
import type { createCalls } from "./calls.ts";
import { giveUp } from "./give-up.ts";
import type { Candidate } from "./held.ts";
import type { Mine, Operation } from "./operation.ts";
import { type IssuedPair, type IssuedToken, readToken, secretOf, writePair } from "./pair.ts";
import type { Register, View } from "./register.ts";
import type { Sealer } from "./sealer.ts";
import type { RefreshFinished, RefreshOutcome, TicketEvents } from "./ticket-events.ts";

export interface RefreshOptions {
  secrets: () => readonly Secret[];
  calls: ReturnType<typeof createCalls>;
  register: Register;
  sealer: Sealer;
  adopt: (candidate: Candidate) => void;
  clock: Clock;
  random: () => number;
  timings: TicketTimings;
  replica: string;
  /** The fingerprints of the secrets. */
  credentials: () => string;
  events: TicketEvents;
  /** Ends the repetition of writes; calls to the vendor are never cut off. */
  stopping: AbortSignal;
}

export interface RefreshRequest {
  view: View;
  /** The highest generation this replica has held. */
  atLeast: number;
  /** Whether the pair is old enough for an ordinary refresh, and whether it is so old that delays must be short. */
  due: boolean;
  urgent: boolean;
  /** Fingerprint of the secret that made the pair in hand: it is tried first. */
  secretId: string | undefined;
}

/** A staged token of this age is not worth a ticket any more: its ticket would end too soon. */
const STAGE_LIFE_MS = 60 * 60_000;

/**
 * One refresh, step by step as in ticket-cache.md 2.4: lease and intent, token, stage, SIGN ticket, adoption, commit. Each
 * step is durable before the next, so that whoever comes after a crash knows what may have happened at the vendor.
 */
export function createRefresh(options: RefreshOptions) {
  const { secrets, calls, register, sealer, adopt, clock, random, timings, replica, credentials } = options;
  const { events, stopping } = options;
  let attempts = 0;

  function stagedToken({ state, now }: View): IssuedToken | undefined {
    const { stage } = state;
    if (!stage || now - stage.at > STAGE_LIFE_MS) return undefined;
    const opened = sealer.open(stage.sealed, { generation: stage.generation, kind: "stage" });
    return opened.ok ? readToken(opened.plain) : undefined;
  }

  /** Runs one refresh to its end and fills in the report. Rejects when the store is away at the beginning. */
  async function attempt(request: RefreshRequest, report: RefreshFinished): Promise<RefreshOutcome> {
    const startedAt = clock.monotonic();
    const deadline = startedAt + timings.leaseMs - timings.marginMs;
    const staged = stagedToken(request.view);
    const { published, stage } = request.view.state;
    const holder = `${replica}/${++attempts}`;
    const acquire: Operation = {
      kind: "acquire",
      holder,
      credentials: credentials(),
      expected: published?.generation ?? 0,
      atLeast: request.atLeast,
      due: request.due,
      continues: staged && stage?.generation,
    };
    const { status, generation, view } = await register.apply(acquire).catch(() => register.apply(acquire));
    if (status !== "ok" || generation === undefined) return "busy";
    const mine: Mine = { holder, generation };
    report.generation = generation;

    let token = view.state.stage ? staged : undefined;
    let stagedAt = startedAt;
    if (!token) {
      const calledAt = clock.monotonic();
      const result = await calls.token(request.secretId, deadline);
      report.tokenMs = clock.monotonic() - calledAt;
      if ("failed" in result) {
        report.error = result.error;
        const { failures } = view.state;
        const circumstances = {
          failures,
          urgent: request.urgent,
          credentials: credentials(),
          spentMs: Math.floor(report.tokenMs),
          timings,
          random,
        };
        const { insistMs, ...abort } = giveUp(result, circumstances);
        await register.insist({ kind: "abort", ...mine, ...abort }, insistMs, stopping);
        return result.failed === "late" ? "busy" : result.failed;
      }
      const { value, lifeMs, secretId } = result;
      // The store's time before the call: the end can only be early, never late.
      token = { accessToken: value, issuedAt: view.now, lifeMs, secretId };
      const sealed = seal(writePair(token), generation, "stage", secretId);
      stagedAt = clock.monotonic();
      const kept = await register.apply({ kind: "stage", ...mine, sealed }).catch(() => undefined);
      if (kept?.status === "fenced") return orphan(generation);
    }

    const askedAt = clock.monotonic();
    const ticketDeadline = Math.min(deadline, stagedAt + timings.ticketLeaseMs - timings.marginMs);
    const ticket = await calls.signTicket(token.accessToken, ticketDeadline);
    report.signMs = clock.monotonic() - askedAt;
    if ("failed" in ticket) {
      report.error = ticket.error;
      const bad = ticket.failed === "refused";
      const outcome = bad ? "badstage" : "keepstage";
      const growing = { baseMs: timings.quiesceMs / 3, maxMs: timings.backoffMs.max / 6 };
      const delayMs = bad ? 0 : Math.ceil(backoffMs(growing, view.state.failures, random));
      const abort: Operation = { kind: "abort", ...mine, outcome, backoffMs: delayMs };
      await register.insist(abort, timings.leaseMs, stopping);
      return bad ? "bad_stage" : "no_ticket";
    }

    const issued: IssuedPair = {
      ...token,
      signTicket: ticket.value,
      signIssuedAt: view.now,
      signLifeMs: ticket.lifeMs,
    };
    const sealed = seal(writePair(issued), generation, "pair", issued.secretId);
    // Before the commit: it is the vendor's truth even if the store is away.
    const asOf = clock.monotonic();
    const signAgeMs = asOf - startedAt;
    const tokenAgeMs = signAgeMs + Math.max(0, view.now - token.issuedAt);
    adopt({ generation, sealed, issued, ageMs: 0, tokenAgeMs, signAgeMs, asOf, own: true });
    const committed = await register.insist({ kind: "commit", ...mine, sealed }, Infinity, stopping);
    report.commitMs = clock.monotonic() - asOf;
    if (committed?.status === "fenced") return orphan(generation);
    return committed ? "ok" : "store";
  }

  function seal(plain: string, generation: number, kind: "pair" | "stage", secretId: string): string {
    return sealer.seal(plain, { generation, kind }, secretOf(secrets(), secretId));
  }

  /** Somebody else has the lease, and our token has cut the life of theirs, or theirs of ours. */
  async function orphan(generation: number): Promise<RefreshOutcome> {
    events.pairOrphaned({ generation });
    await register.insist({ kind: "orphan" }, timings.overlapMs, stopping);
    return "fenced";
  }

  return attempt;
}
