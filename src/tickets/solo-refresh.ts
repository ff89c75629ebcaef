import type { Clock } from "../lib/clock.ts";
import type { RefreshFinished, RefreshOutcome } from "./events.ts";
import { type IssuedPair, secretOf, writePair } from "./pair.ts";
import type { CachedPair } from "./pair-cache.ts";
import type { RefreshOptions } from "./refresh.ts";
import type { StateView } from "./shared-state.ts";

/** Those of a refresh, but for what has to do with a lease and with trying again. */
export type SoloRefreshOptions = Omit<
  RefreshOptions,
  "random" | "replica" | "process" | "credentials" | "events"
>;

export interface SoloRefreshRequest {
  /** What the pair will be numbered, and the store's clock as far as it is known here. */
  generation: number;
  storeNow: number;
  /** Fingerprint of the secret that made the pair in hand. */
  secretId: string | undefined;
}

/** What a refresh without the store would begin with; a string says why it must not. */
export function planSoloRefresh(
  view: StateView | undefined,
  cached: CachedPair | undefined,
  clock: Pick<Clock, "now" | "monotonic">,
): SoloRefreshRequest | string {
  const storeNow = view ? Math.floor(view.now + (clock.monotonic() - view.askedAt)) : clock.now();
  const { granted = 0, lease } = view?.state ?? {};
  if (lease && lease.until > storeNow) return "another process may be refreshing";
  const generation = Math.max((cached?.pair.generation ?? 0) + 1, granted + 1, storeNow);
  return { generation, storeNow, secretId: cached?.secretId };
}

/** `settle` tells the store, once it is back, what was done without it. Never rejects. */
export interface SoloRefreshResult {
  outcome: RefreshOutcome;
  settle: () => Promise<unknown>;
}

/**
 * A refresh without a lease, which only an operator may ask for (ticket-cache.md 2.9): the store is away and the pair is
 * about to end. Nothing stops another replica from doing the same, and then each ends the token of the other.
 */
export function createSoloRefresh(options: SoloRefreshOptions) {
  const { secrets, calls, sharedState, sealer, adopt, clock, timings, stopping } = options;

  /** Whatever the store holds by now may be dying: somebody must rotate in order. */
  const doubt = () => sharedState.insist({ kind: "orphan" }, Infinity, stopping);
  const nothing = () => Promise.resolve();

  return async (request: SoloRefreshRequest, report: RefreshFinished): Promise<SoloRefreshResult> => {
    const { generation, storeNow, secretId } = request;
    report.generation = generation;
    const startedAt = clock.monotonic();
    const deadline = startedAt + timings.tokenTimeoutMs + timings.ticketPatienceMs;
    const token = await calls.token(secretId, deadline, () => Promise.resolve(deadline));
    report.tokenMs = clock.monotonic() - startedAt;
    if ("failed" in token) {
      report.error = token.error;
      const outcome = token.failed === "late" ? "busy" : token.failed;
      return { outcome, settle: token.failed === "unknown" ? doubt : nothing };
    }
    const askedAt = clock.monotonic();
    const ticket = await calls.signTicket(token.value, deadline);
    report.signMs = clock.monotonic() - askedAt;
    if ("failed" in ticket) {
      report.error = ticket.error;
      return { outcome: "no_ticket", settle: doubt };
    }
    const issued: IssuedPair = {
      accessToken: token.value,
      issuedAt: storeNow,
      lifeMs: token.lifeMs,
      secretId: token.secretId,
      signTicket: ticket.value,
      signIssuedAt: storeNow,
      signLifeMs: ticket.lifeMs,
    };
    const sealed = sealer.seal(
      writePair(issued),
      { generation, kind: "pair" },
      secretOf(secrets(), token.secretId),
    );
    const asOf = clock.monotonic();
    const ages = { ageMs: 0, tokenAgeMs: asOf - startedAt, signAgeMs: asOf - startedAt };
    adopt({ generation, sealed, issued, ...ages, asOf, own: true });

    async function give(): Promise<void> {
      const at = Math.floor(storeNow + (asOf - startedAt));
      const healed = await sharedState.insist({ kind: "heal", generation, sealed, at }, Infinity, stopping);
      // Others have refreshed meanwhile, before us or after: one of the two tokens has ended the other.
      if (healed && healed.view.state.published?.generation !== generation) await doubt();
    }
    return { outcome: "ok", settle: give };
  };
}
