import { ErrorReason, ServiceError } from "../errors.ts";
import type { RefreshOutcome } from "./events.ts";
import type { PairCache } from "./pair-cache.ts";
import { OBSTACLES } from "./protocol/refresh-reason.ts";
import type { ApplyResult, SharedState, StateView } from "./shared-state.ts";
import type { TicketStatus } from "./status.ts";
import type { StoreHealth } from "./stores/store-health.ts";

/** A rotation requested by an operator. */
export interface ForcedRefresh {
  previous: number;
  generation: number;
  /** Whether it was done without the store. */
  alone: boolean;
}

/** The operator's view of the ticket cache, and control over it. */
export interface TicketOperator {
  status(): TicketStatus;
  /**
   * Has the next refresher replace the pair, and waits until this process has the new one; also if it cannot open the
   * current one. While the store is unreachable that is refused, unless `allowWithoutStore`: then this process refreshes
   * alone (ticket-cache.md 2.9). Throws ServiceError TICKET_UNAVAILABLE with a `why`, at once if waiting is pointless;
   * rejects with the signal's reason when it aborts, but the rotation continues.
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
  /** Refreshes without the store; a string is the reason for refusing to. */
  refreshSolo: () => Promise<RefreshOutcome> | string;
  /** Whether this process refreshes. */
  refreshes: boolean;
  /** How long failures and a running refresh delay the next one, milliseconds. */
  nextDelayMs: (view: StateView) => number;
}

/** The longest delay that a call waits out, milliseconds; before a longer one it fails at once. Fits in one RPC. */
const MAX_DELAY_MS = 30_000;

export function createOperator(options: OperatorOptions): TicketOperator {
  const { status, cache, sharedState, poll, wake, health, refreshSolo, refreshes, nextDelayMs } = options;

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
      // Without one, the first pair is already due.
      const marked = published > 0 ? (await invalidate(published)).view : view;
      wake();
      const delayMs = nextDelayMs(marked);
      if (delayMs > MAX_DELAY_MS)
        throw unavailable(`the rotation begins in ${seconds(delayMs)}: the last refresh failed`);
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
      const aborted = Promise.withResolvers<never>();
      const onAborted = () => aborted.reject(signal.reason);
      signal.addEventListener("abort", onAborted, { once: true });
      try {
        return await Promise.race([force(allowWithoutStore), aborted.promise]);
      } finally {
        signal.removeEventListener("abort", onAborted);
      }
    },
  };
}

const seconds = (ms: number) => `${Math.ceil(ms / 1_000)} s`;

const unavailable = (why: string) =>
  new ServiceError(ErrorReason.TICKET_UNAVAILABLE, why, { metadata: { why } });
