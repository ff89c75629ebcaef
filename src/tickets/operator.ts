import { ErrorReason, ServiceError } from "../errors.ts";
import type { RefreshOutcome } from "./events.ts";
import type { PairCache } from "./pair-cache.ts";
import { OBSTACLES } from "./protocol/refresh-reason.ts";
import type { ApplyResult, SharedState, StateView } from "./shared-state.ts";
import type { TicketStatus } from "./status.ts";
import type { StoreHealth } from "./store-health.ts";

/** A rotation that an operator asked for. */
export interface ForcedRefresh {
  previous: number;
  generation: number;
  /** Whether it was made without the store. */
  alone: boolean;
}

/** What an operator can see of the ticket cache, and do to it. */
export interface TicketOperator {
  status(): TicketStatus;
  /**
   * Has the pair replaced by whoever refreshes next, and waits until this process holds the new one; also when it cannot
   * open the present one. While the store is away that is refused, unless `allowWithoutStore`: then this process refreshes
   * alone (ticket-cache.md 2.9). Throws ServiceError TICKET_UNAVAILABLE with a `why`, at once where waiting is of no use;
   * rejects with the signal's reason, and then the rotation goes on.
   */
  forceRefresh(allowWithoutStore: boolean, signal: AbortSignal): Promise<ForcedRefresh>;
}

export interface OperatorOptions {
  status: () => TicketStatus;
  cache: PairCache;
  sharedState: SharedState;
  poll: () => Promise<StateView | undefined>;
  wake: () => void;
  health: Pick<StoreHealth, "isUp">;
  /** Refreshes without the store; a string says why it will not. */
  refreshSolo: () => Promise<RefreshOutcome> | string;
  /** Whether this process refreshes. */
  refreshes: boolean;
  /** How long failures hold the next refresh back, milliseconds. */
  heldBackMs: (view: StateView) => number;
}

/** What an operator waits for without being told, milliseconds; it fits the time of one RPC. */
const PATIENCE_MS = 30_000;

export function createOperator(options: OperatorOptions): TicketOperator {
  const { status, cache, sharedState, poll, wake, health, refreshSolo, refreshes, heldBackMs } = options;

  async function newerThan(generation: number): Promise<number> {
    for (;;) {
      const latest = cache.latest?.pair.generation ?? 0;
      if (latest > generation) return latest;
      await cache.next();
    }
  }

  async function force(allowWithoutStore: boolean): Promise<ForcedRefresh> {
    if (!refreshes)
      throw unavailable("this process leaves refreshing to others, by its ROLE: ask one of them");
    const view = await poll();
    const latest = cache.latest?.pair.generation ?? 0;
    if (view?.flaw === "newer") throw unavailable(OBSTACLES.newer);
    if (view && health.isUp) {
      const published = view.state.published?.generation ?? 0;
      // Without one, a first pair is on its way as it is.
      const marked = published > 0 ? (await invalidate(published)).view : view;
      wake();
      const waitsMs = heldBackMs(marked);
      if (waitsMs > PATIENCE_MS)
        throw unavailable(`the rotation begins in ${words(waitsMs)}: the last refresh failed`);
      const previous = Math.max(latest, published);
      return { previous, generation: await newerThan(previous), alone: false };
    }
    if (!allowWithoutStore)
      throw unavailable(view ? "the ticket store takes no writes" : "the ticket store is away");
    const refreshing = refreshSolo();
    if (typeof refreshing === "string") throw unavailable(refreshing);
    const outcome = await refreshing;
    if (outcome !== "ok") throw unavailable(`the refresh without the store ended with ${outcome}`);
    return { previous: latest, generation: await newerThan(latest), alone: true };
  }

  async function invalidate(generation: number): Promise<ApplyResult> {
    try {
      return await sharedState.apply({ kind: "invalidate", generation, by: "operator" });
    } catch {
      throw unavailable("the ticket store went away");
    }
  }

  return {
    status,
    async forceRefresh(allowWithoutStore, signal) {
      signal.throwIfAborted();
      const given = Promise.withResolvers<never>();
      const giveUp = () => given.reject(signal.reason);
      signal.addEventListener("abort", giveUp, { once: true });
      try {
        return await Promise.race([force(allowWithoutStore), given.promise]);
      } finally {
        signal.removeEventListener("abort", giveUp);
      }
    },
  };
}

const words = (ms: number) => `${Math.ceil(ms / 1_000)} s`;

const unavailable = (why: string) =>
  new ServiceError(ErrorReason.TICKET_UNAVAILABLE, why, { metadata: { why } });
