import type { RefreshFinished } from "./events.ts";
import type { CachedPair } from "./pair-cache.ts";
import { doubtWaitMs } from "./protocol/doubt.ts";
import type { RefreshReason } from "./protocol/refresh-reason.ts";
import { EMPTY_STATE, type TimedHold } from "./protocol/state.ts";
import type { StateView } from "./shared-state.ts";

/**
 * The ticket cache of one process at one moment: for the operator's RPC and for the gauges (ticket-cache.md 5). Numbers
 * and words, never a token. Ages and remaining times are milliseconds; undefined where there is nothing to measure.
 */
export interface TicketStatus {
  replica: string;
  /** Whether this process refreshes, or only uses what others keep fresh. */
  refreshes: boolean;
  ready: boolean;
  reason: string;
  /** The pair in hand: its generation (0 for none), whether it can be used, and its ages. */
  generation: number;
  usable: boolean;
  ageMs: number | undefined;
  tokenAgeMs: number | undefined;
  signAgeMs: number | undefined;
  /** Time until it must not be used any more, and until this process replaces it; 0 for past. */
  hardLimitInMs: number | undefined;
  refreshInMs: number | undefined;
  /** The store: whether it answered last, how long ago it was asked, and what it said then. */
  storeUp: boolean;
  storeSilentMs: number;
  storeGeneration: number;
  /** Whose refresh is under way. */
  lease: { holder: string; endsInMs: number } | undefined;
  /** For how long a refresh has not reported, a staged token has waited, and the pair has been in doubt. */
  intentMs: number | undefined;
  stageMs: number | undefined;
  doubtMs: number | undefined;
  /** How long the doubt, and the backoff, still hold a refresh back. */
  doubtHoldMs: number;
  backoffMs: number;
  /** Refreshes in a row that failed; rotations because of refusals within the hour. */
  failures: number;
  forcedRotations: number;
  /** Whether this process is refreshing, what ended last here, and how long ago. */
  refreshing: boolean;
  last:
    | (Pick<RefreshFinished, "outcome" | "generation" | "error"> & {
        reason: RefreshReason | "alone";
        agoMs: number;
      })
    | undefined;
  /** Time since the loop that keeps the pair fresh last came round. */
  loopSilentMs: number;
}

/** What the parts of the cache know. */
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
  /** What the store said last. */
  view: StateView | undefined;
  last: (Omit<NonNullable<TicketStatus["last"]>, "agoMs"> & { at: number }) | undefined;
  /** The monotonic clock. */
  now: number;
  floorMs: number;
  forcedWindowMs: number;
}

/** One snapshot from what the parts know. Pure. */
export function ticketStatus(known: StatusFacts): TicketStatus {
  const { cached, view, last, now, floorMs, forcedWindowMs, ...plain } = known;
  const state = view?.state ?? EMPTY_STATE;
  // The store's clock, as far as it can be told from here.
  const storeNow = view ? view.now + (now - view.askedAt) : 0;
  const { published, lease, intent, stage, doubt, backoff, failures, forced } = state;
  const since = (at: number | undefined) => (at === undefined ? undefined : Math.max(0, storeNow - at));
  const left = (hold: TimedHold | undefined) =>
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
    lease: lease && left(lease) > 0 ? { holder: lease.holder, endsInMs: left(lease) } : undefined,
    intentMs: since(intent?.at),
    stageMs: since(stage?.at),
    doubtMs: since(doubt?.since),
    doubtHoldMs: doubtWaitMs(state, storeNow, floorMs),
    backoffMs: left(backoff),
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
