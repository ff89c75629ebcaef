import { backoffMs } from "../lib/backoff.ts";
import type { RefreshFinished, RefreshOutcome } from "./events.ts";
import { whileBeating } from "./lease.ts";
import { type IssuedPair, type IssuedToken, readPair, secretOf, writePair } from "./pair.ts";
import type { LeaseClaim, Operation } from "./protocol/operations.ts";
import type { RefreshOptions } from "./refresh.ts";
import type { StateView } from "./shared-state.ts";

/** A token that only lacks its ticket, and the generation under which it is staged. */
export interface Staged {
  token: IssuedToken;
  generation: number;
}

/**
 * The second half of a refresh: a ticket for the staged token, and the commit. No token call can follow, so the lease is
 * short and renewed by beats: a holder that falls silent is replaced soon, and one that resumes does no harm.
 */
export function createPublication(options: RefreshOptions) {
  const { secrets, calls, sharedState, sealer, adopt, clock, random, timings, events, stopping } = options;

  /** Another process has the lease, and one of the two tokens has cut the other's life short. */
  async function orphaned(generation: number): Promise<RefreshOutcome> {
    events.pairOrphaned({ generation });
    await sharedState.insist({ kind: "orphan" }, timings.overlapMs, stopping);
    return "fenced";
  }

  /** Whether another process continues, or has published, the very token that we obtained. */
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
    const requestedAt = clock.monotonic();
    const ticket = await calls.signTicket(token.accessToken, requestedAt + timings.ticketPatienceMs);
    report.signMs = clock.monotonic() - requestedAt;
    if ("failed" in ticket) {
      report.error = ticket.error;
      const refused = ticket.failed === "refused";
      const outcome = refused ? "badstage" : "keepstage";
      const backoff = { baseMs: timings.quiesceMs / 3, maxMs: timings.backoffMs.max / 6 };
      const delayMs = refused ? 0 : Math.ceil(backoffMs(backoff, view.state.failures, random));
      const abort: Operation = { kind: "abort", ...mine, outcome, backoffMs: delayMs };
      await sharedState.insist(abort, timings.leaseMs, stopping);
      return refused ? "bad_stage" : "no_ticket";
    }

    const issued: IssuedPair = {
      ...token,
      signTicket: ticket.value,
      signIssuedAt: view.now,
      signLifeMs: ticket.lifeMs,
    };
    const secret = secretOf(secrets(), issued.secretId);
    const sealed = sealer.seal(writePair(issued), { generation, kind: "pair" }, secret);
    // Before the commit: it is the vendor's truth even if the store is unreachable.
    const asOf = clock.monotonic();
    const signAgeMs = asOf - view.requestedAt;
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

    /** Runs to the end and fills in the report. `view`: the state when the lease was granted. */
    publish: (...args: Parameters<typeof publish>): Promise<RefreshOutcome> =>
      whileBeating({ sharedState, clock, timings }, args[0], () => publish(...args)),
  };
}
