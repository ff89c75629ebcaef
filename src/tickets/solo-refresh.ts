import type { Clock } from "../lib/clock.ts";
import type { RefreshFinished, RefreshOutcome } from "./events.ts";
import { type IssuedPair, secretOf, writePair } from "./pair.ts";
import type { CachedPair } from "./pair-cache.ts";
import type { RefreshOptions } from "./refresh.ts";
import type { StateView } from "./shared-state.ts";

/** The options of a refresh without those for leases and retries. */
export type SoloRefreshOptions = Omit<
  RefreshOptions,
  "random" | "replica" | "process" | "credentials" | "events"
>;

export interface SoloRefreshRequest {
  /** The pair's future generation, and the store's clock as estimated by this process. */
  generation: number;
  storeNow: number;
  /** Fingerprint of the secret that obtained the cached pair. */
  secretId: string | undefined;
}

/** The request for a refresh without the store; a string is the reason for refusing it. */
export function planSoloRefresh(
  view: StateView | undefined,
  cached: CachedPair | undefined,
  clock: Pick<Clock, "now" | "monotonic">,
): SoloRefreshRequest | string {
  const storeNow = view ? Math.floor(view.now + (clock.monotonic() - view.requestedAt)) : clock.now();
  const { granted = 0, lease } = view?.state ?? {};
  if (lease && lease.until > storeNow) return "another process may be refreshing";
  const generation = Math.max((cached?.pair.generation ?? 0) + 1, granted + 1, storeNow);
  return { generation, storeNow, secretId: cached?.secretId };
}

/** `settle` records in the store, once it is reachable, what was done without it. Never rejects. */
export interface SoloRefreshResult {
  outcome: RefreshOutcome;
  settle: () => Promise<unknown>;
}

/**
 * A refresh without a lease, only on an operator's request (ticket-cache.md 2.9): the store is unreachable and the pair is
 * about to end. Nothing stops another replica from doing the same, and then each kills the other's token.
 */
export function createSoloRefresh(options: SoloRefreshOptions) {
  const { secrets, calls, sharedState, sealer, adopt, clock, timings, stopping } = options;

  /** Any pair in the store may be dying by now: an ordinary rotation must follow. */
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
    const requestedAt = clock.monotonic();
    const ticket = await calls.signTicket(token.value, deadline);
    report.signMs = clock.monotonic() - requestedAt;
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

    async function publish(): Promise<void> {
      const at = Math.floor(storeNow + (asOf - startedAt));
      const healed = await sharedState.insist({ kind: "heal", generation, sealed, at }, Infinity, stopping);
      // Another process refreshed meanwhile, before us or after: one of the two tokens has killed the other.
      if (healed && healed.view.state.published?.generation !== generation) await doubt();
    }
    return { outcome: "ok", settle: publish };
  };
}
