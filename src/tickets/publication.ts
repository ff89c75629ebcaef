import { backoffMs } from "../lib/backoff.ts";
import type { RefreshFinished, RefreshOutcome } from "./events.ts";
import { whileBeating } from "./lease.ts";
import { type IssuedPair, type IssuedToken, readPair, secretOf, writePair } from "./pair.ts";
import type { LeaseClaim, Operation } from "./protocol/operations.ts";
import type { RefreshOptions } from "./refresh.ts";
import type { StateView } from "./shared-state.ts";

/** A token that only lacks its ticket, and the generation it is staged under. */
export interface Staged {
  token: IssuedToken;
  generation: number;
}

/**
 * The second half of a refresh: a ticket for the staged token, and the commit. No token call can follow any more, so the
 * lease is short and renewed by beats: who falls silent is replaced at once, and whoever goes on does no harm.
 */
export function createPublication(options: RefreshOptions) {
  const { secrets, calls, sharedState, sealer, adopt, clock, random, timings, events, stopping } = options;

  /** Somebody else has the lease, and our token has cut the life of theirs, or theirs of ours. */
  async function orphaned(generation: number): Promise<RefreshOutcome> {
    events.pairOrphaned({ generation });
    await sharedState.insist({ kind: "orphan" }, timings.overlapMs, stopping);
    return "fenced";
  }

  /** Whether somebody else goes on, or went on, with the very token that we hold. */
  function isContinued({ token, generation }: Staged, { state }: StateView): boolean {
    const { published, stage } = state;
    if (stage?.generation === generation) return true;
    const opened = published && sealer.open(published.sealed, { ...published, kind: "pair" });
    const pair = opened?.ok ? readPair(opened.plain) : undefined;
    return pair?.accessToken.reveal() === token.accessToken.reveal();
  }

  async function publish(
    mine: LeaseClaim,
    staged: Staged,
    view: StateView,
    report: RefreshFinished,
  ): Promise<RefreshOutcome> {
    const { generation } = mine;
    const { token } = staged;
    const askedAt = clock.monotonic();
    const ticket = await calls.signTicket(token.accessToken, askedAt + timings.ticketPatienceMs);
    report.signMs = clock.monotonic() - askedAt;
    if ("failed" in ticket) {
      report.error = ticket.error;
      const bad = ticket.failed === "refused";
      const outcome = bad ? "badstage" : "keepstage";
      const growing = { baseMs: timings.quiesceMs / 3, maxMs: timings.backoffMs.max / 6 };
      const delayMs = bad ? 0 : Math.ceil(backoffMs(growing, view.state.failures, random));
      const abort: Operation = { kind: "abort", ...mine, outcome, backoffMs: delayMs };
      await sharedState.insist(abort, timings.leaseMs, stopping);
      return bad ? "bad_stage" : "no_ticket";
    }

    const issued: IssuedPair = {
      ...token,
      signTicket: ticket.value,
      signIssuedAt: view.now,
      signLifeMs: ticket.lifeMs,
    };
    const secret = secretOf(secrets(), issued.secretId);
    const sealed = sealer.seal(writePair(issued), { generation, kind: "pair" }, secret);
    // Before the commit: it is the vendor's truth even if the store is away.
    const asOf = clock.monotonic();
    const signAgeMs = asOf - view.askedAt;
    const tokenAgeMs = signAgeMs + Math.max(0, view.now - token.issuedAt);
    adopt({ generation, sealed, issued, ageMs: 0, tokenAgeMs, signAgeMs, asOf, own: true });
    const committed = await sharedState.insist({ kind: "commit", ...mine, sealed }, Infinity, stopping);
    report.commitMs = clock.monotonic() - asOf;
    if (!committed) return "store";
    if (committed.status !== "fenced") return "ok";
    return isContinued(staged, committed.view) ? "fenced" : orphaned(generation);
  }

  return {
    orphaned,

    /** Runs it to its end and fills in the report. `view`: as it was when the lease was given. */
    publish: (...args: Parameters<typeof publish>): Promise<RefreshOutcome> =>
      whileBeating({ sharedState, clock, timings }, args[0], () => publish(...args)),
  };
}
