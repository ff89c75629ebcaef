import type { TicketTimings } from "../../config/ticket-timings.ts";
import type { OpenResult } from "../sealer.ts";
import type { StateView } from "../shared-state.ts";
import { doubtAgeMs, doubtWaitMs, exceedsItsHold } from "./doubt.ts";
import { bindingBackoff } from "./state.ts";

/** Why the stored pair, or the whole stored state, cannot be used; `expired`: by this process's reckoning. */
export type Obstacle = Exclude<OpenResult, { ok: true }>["why"] | "expired" | "newer" | "corrupt";

/** The same in words, for the operator who has to fix it. */
export const OBSTACLES: Readonly<Record<Obstacle, string>> = {
  key: "the stored ticket pair is sealed with a key that STORE_KEYS of this process lacks",
  secret: "the stored ticket pair is sealed with a key derived from another secret",
  tag: "the stored ticket pair is damaged, or its key is another one of the same name",
  format: "the stored ticket pair is of an unknown form",
  expired: "the stored ticket pair has expired",
  newer: "the stored state is of a later release, which this one leaves alone",
  corrupt: "the stored state is damaged",
};

/** Why a refresh is needed. */
export type RefreshReason = "cold" | "expired" | "unreadable" | "stage" | "intent" | "doubt" | "age";

/** What the replica knows in addition to the shared state. */
export interface ReplicaFacts {
  /** Whether the published pair can be opened, and if not, why; undefined if none is published. */
  opened: "ok" | Exclude<Obstacle, "newer" | "corrupt"> | undefined;
  /** Whether the replica has a usable pair cached. */
  usable: boolean;
  /** The pair's age, as the larger of two readings, and its age when this replica replaces it (0: now), milliseconds. */
  ageMs: number;
  dueMs: number;
  /** Maximum life of a pair, milliseconds. */
  lifeMs: number;
}

/** A reason to refresh; `leave`: leave the pair alone; undefined: the policy does not apply. */
type Policy = (
  view: StateView,
  facts: ReplicaFacts,
  timings: Pick<TicketTimings, "leaseMs">,
) => RefreshReason | "leave" | undefined;

const leaveStateOfLaterRelease: Policy = ({ flaw }) => (flaw === "newer" ? "leave" : undefined);

/**
 * Another installation keeps that pair fresh; if both rotated, each would keep killing the other's token. Unless an operator
 * wants a new pair, and that installation, if it exists, has had the time of a lease to make one.
 */
const leavePairSealedWithOtherKeys: Policy = ({ state, now }, { opened, ageMs, lifeMs }, { leaseMs }) => {
  const abandoned = state.doubt?.by === "operator" && doubtAgeMs(state, now) > leaseMs;
  return opened === "key" && ageMs < lifeMs && !abandoned ? "leave" : undefined;
};

const noPairAnywhere: Policy = ({ state }, { usable }) => (!state.published && !usable ? "cold" : undefined);

/** Even while an older pair works: it is about to end, and its replacement cannot be used. */
const publishedPairExpired: Policy = (_view, { opened }) => (opened === "expired" ? "expired" : undefined);

const publishedPairUnreadable: Policy = (_view, { opened, usable }) =>
  opened !== undefined && opened !== "ok" && !usable ? "unreadable" : undefined;

const pairInDoubt: Policy = ({ state }) => (state.doubt ? "doubt" : undefined);
const tokenStaged: Policy = ({ state }) => (state.stage ? "stage" : undefined);
const refreshInterrupted: Policy = ({ state }) => (state.intent ? "intent" : undefined);
const pairOldEnough: Policy = (_view, { ageMs, dueMs }) => (ageMs >= dueMs ? "age" : undefined);

/** Evaluated in order; the first that applies decides. */
const POLICIES: readonly Policy[] = [
  leaveStateOfLaterRelease,
  leavePairSealedWithOtherKeys,
  noPairAnywhere,
  publishedPairExpired,
  publishedPairUnreadable,
  pairInDoubt,
  tokenStaged,
  refreshInterrupted,
  pairOldEnough,
];

/** Why a refresh is needed now, if it is; the state may still delay it (`waitMs`). Pure. */
export function refreshReason(
  view: StateView,
  facts: ReplicaFacts,
  timings: Pick<TicketTimings, "leaseMs">,
): RefreshReason | undefined {
  for (const policy of POLICIES) {
    const reason = policy(view, facts, timings);
    if (reason !== undefined) return reason === "leave" ? undefined : reason;
  }
  return undefined;
}

/** Whether the pair is near its end, or so long in doubt that it may soon be dead: then no retry may wait long. Pure. */
export const isUrgent = (
  { state, now }: StateView,
  { ageMs, lifeMs }: ReplicaFacts,
  { overlapMs }: Pick<TicketTimings, "overlapMs">,
): boolean => ageMs > lifeMs * 0.75 || doubtAgeMs(state, now) > overlapMs / 2;

/**
 * How long the state delays a refresh, milliseconds; 0 if it may begin, that is `acquire` will not return `backoff`.
 * `due`: the pair is old enough for an ordinary refresh, which no doubt delays. Pure.
 */
export function waitMs(
  { state, now }: StateView,
  credentials: string,
  due: boolean,
  timings: TicketTimings,
): number {
  // Only `acquire` repairs holds that a clock that went back made too long; waiting for them here could take hours.
  if (exceedsItsHold(state, now, timings)) return 0;
  const { lease, backoff } = state;
  const ends = [lease, bindingBackoff(backoff, credentials)].map((hold) => (hold ? hold.until - now : 0));
  return Math.max(0, ...ends, due ? 0 : doubtWaitMs(state, now, timings.floorMs));
}
