import type { RefreshFinished } from "./events.ts";
import type { CachedPair } from "./pair-cache.ts";
import { doubtWaitMs } from "./protocol/doubt.ts";
import type { RefreshReason } from "./protocol/refresh-reason.ts";
import { EMPTY_STATE, type TimedHold } from "./protocol/state.ts";
import type { StateView } from "./shared-state.ts";

/**
 * A snapshot of one process's ticket cache, for the operator's RPC and for the gauges (ticket-cache.md 5). Never contains a
 * token. Ages and remaining times are milliseconds; undefined where there is nothing to measure.
 */
export interface TicketStatus {
  replica: string;
  /** Whether this process refreshes the pair, or only uses it. */
  refreshes: boolean;
  ready: boolean;
  reason: string;
  /** The cached pair: its generation (0 for none), whether it is usable, and its ages. */
  generation: number;
  usable: boolean;
  ageMs: number | undefined;
  tokenAgeMs: number | undefined;
  signAgeMs: number | undefined;
  /** Time until it must no longer be used, and until this process replaces it; 0 if past. */
  hardLimitInMs: number | undefined;
  refreshInMs: number | undefined;
  /** The store: whether it is up, time since the last poll, and the published generation it last returned. */
  storeUp: boolean;
  storeSilentMs: number;
  storeGeneration: number;
  /** The running refresh, of whichever process. */
  lease: { holder: string; endsInMs: number } | undefined;
  /** How long a refresh has not reported, a staged token has waited, and the pair has been in doubt. */
  intentMs: number | undefined;
  stageMs: number | undefined;
  doubtMs: number | undefined;
  /** How long doubt and backoff still delay a refresh. */
  doubtHoldMs: number;
  backoffMs: number;
  /** Number of consecutive failed refreshes; rotations after refusals within the hour. */
  failures: number;
  forcedRotations: number;
  /** Whether this process is refreshing, its last finished refresh, and how long ago that ended. */
  refreshing: boolean;
  last:
    | (Pick<RefreshFinished, "outcome" | "generation" | "error"> & {
        reason: RefreshReason | "alone";
        agoMs: number;
      })
    | undefined;
  /** Time since the loop that keeps the pair fresh last finished a step. */
  loopSilentMs: number;
}

/** The inputs of a snapshot, from the parts of the cache. */
export interface StatusFacts
  extends Pick<
    TicketStatus,
    | "replica"
    | "refreshes"
    | "ready"
    | "reason"
    | "usable"
    | "storeUp"
    | "storeSilentMs"
    | "refreshing"
    | "loopSilentMs"
  > {
  cached: CachedPair | undefined;
  /** The last successful read of the store. */
  view: StateView | undefined;
  last: (Omit<NonNullable<TicketStatus["last"]>, "agoMs"> & { at: number }) | undefined;
  /** The monotonic clock. */
  now: number;
  floorMs: number;
  forcedWindowMs: number;
}

/** Composes a snapshot. Pure. */
export function ticketStatus(facts: StatusFacts): TicketStatus {
  const { cached, view, last, now, floorMs, forcedWindowMs, ...plain } = facts;
  const state = view?.state ?? EMPTY_STATE;
  // The store's clock, extrapolated.
  const storeNow = view ? view.now + (now - view.requestedAt) : 0;
  const { published, lease, intent, stage, doubt, backoff, failures, forced } = state;
  const since = (at: number | undefined) => (at === undefined ? undefined : Math.max(0, storeNow - at));
  const leftMs = (hold: TimedHold | undefined) =>
    hold ? Math.max(0, Math.min(hold.until - storeNow, hold.ms)) : 0;
  return {
    ...plain,
    generation: cached?.pair.generation ?? 0,
    ageMs: cached && now - cached.bornAt,
    tokenAgeMs: cached && now - cached.tokenBornAt,
    signAgeMs: cached && now - cached.signBornAt,
    hardLimitInMs: cached && Math.max(0, cached.endsAt - now),
    refreshInMs: cached && Math.max(0, cached.dueAt - now),
    storeGeneration: published?.generation ?? 0,
    lease: lease && leftMs(lease) > 0 ? { holder: lease.holder, endsInMs: leftMs(lease) } : undefined,
    intentMs: since(intent?.at),
    stageMs: since(stage?.at),
    doubtMs: since(doubt?.since),
    doubtHoldMs: doubtWaitMs(state, storeNow, floorMs),
    backoffMs: leftMs(backoff),
    failures,
    forcedRotations: forced.filter((at) => storeNow - at < forcedWindowMs).length,
    last: last && {
      reason: last.reason,
      outcome: last.outcome,
      generation: last.generation,
      error: last.error,
      agoMs: now - last.at,
    },
  };
}
