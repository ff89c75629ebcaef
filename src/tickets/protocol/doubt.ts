import type { TicketTimings } from "../../config/ticket-timings.ts";
import { exponentialMs } from "../../lib/backoff.ts";
import type { Operation, Transition } from "./operations.ts";
import type { TicketState, TimedHold } from "./state.ts";

/** The state with a doubt about every generation up to `upTo`; an older doubt goes on, and a new `hold` replaces its own. */
export function doubted(
  state: TicketState,
  upTo: number,
  since: number,
  hold?: TimedHold,
  by = state.doubt?.by,
): TicketState {
  const { doubt } = state;
  return {
    ...state,
    doubt: {
      upTo: Math.max(doubt?.upTo ?? 0, upTo),
      since: doubt?.since ?? since,
      ...(hold && { hold }),
      ...(by && { by }),
    },
  };
}

/** How long a doubt has stood, milliseconds; 0 for none. */
export const doubtAgeMs = ({ doubt }: TicketState, now: number): number =>
  doubt ? Math.max(0, now - doubt.since) : 0;

/** How long a doubt, if there is one, must wait before it may cause a rotation, milliseconds; 0 for no longer. */
export function doubtWaitMs({ doubt, published }: TicketState, now: number, floorMs: number): number {
  if (!doubt) return 0;
  if (doubt.hold) return Math.max(0, Math.min(doubt.hold.until - now, doubt.hold.ms));
  // A clock that went back makes the commit look like one of the future.
  return published && published.at <= now ? Math.max(0, published.at + floorMs - now) : 0;
}

/** Rotations because of refusals that need not wait, in each window: each may be a secret change or a vendor's restart. */
const FORCED_AT_ONCE = 3;

/**
 * Doubts the published pair because the vendor refused it or an operator wants a new one; once per generation, but an
 * operator's word comes before the wait that refusals have earned. Pure.
 */
export function invalidate(
  state: TicketState,
  { generation, by }: Extract<Operation, { kind: "invalidate" }>,
  now: number,
  timings: TicketTimings,
): Transition {
  const { published, doubt } = state;
  const known = doubt && doubt.upTo >= generation && (doubt.by === "operator" || by !== "operator");
  if (published?.generation !== generation || known) return { state, status: "noop" };
  const { floorMs, forcedWindowMs, forcedBudget } = timings;
  const sinceCommitMs = Math.max(0, now - published.at);
  const held = (wantedMs: number): TimedHold => {
    const ms = Math.min(Math.max(0, wantedMs), forcedWindowMs);
    return { until: now + ms, ms };
  };
  if (by === "operator") {
    return { state: doubted(state, generation, now, held(floorMs - sinceCommitMs), by), status: "ok" };
  }
  const recent = state.forced.filter((at) => at <= now && now - at < forcedWindowMs);
  const forced = [...recent, now].slice(-forcedBudget - 1);
  // A few at once; then ever rarer, so that two installations with one app id cannot kill each other every minute.
  const further = forced.length - FORCED_AT_ONCE;
  const spacingMs =
    further > 0 ? exponentialMs({ baseMs: floorMs, maxMs: Infinity }, further - 1) - sinceCommitMs : 0;
  const [oldest = now] = forced.slice(-forcedBudget - 1);
  const budgetMs = forced.length > forcedBudget ? oldest + forcedWindowMs - now : 0;
  const hold = held(Math.max(spacingMs, budgetMs));
  return { state: { ...doubted(state, generation, now, hold), forced }, status: "ok" };
}

/** The longest lease that any release writes at the vendor's minute of overlap, milliseconds. */
const LONGEST_LEASE_MS = 20_000;

/** The longest that each wait is ever written for, milliseconds. */
const longest = ({ leaseMs, slowBackoffMs, forcedWindowMs }: TicketTimings) => ({
  // Never less than a holder with another TOKEN_OVERLAP may count on.
  lease: Math.max(leaseMs, LONGEST_LEASE_MS),
  backoff: slowBackoffMs.max,
  hold: forcedWindowMs,
});

/** What of `hold` may still be to come: never more than it was meant to last, nor than any of its kind is. */
const rest = (hold: TimedHold, now: number, mostMs: number): number =>
  Math.min(hold.until - now, hold.ms, mostMs);

/**
 * Whether something lasts longer than it was meant to, or began in the future: which only a clock that went back, or a
 * stranger's hand, can bring about.
 */
export function exceedsItsHold(
  { lease, backoff, doubt }: TicketState,
  now: number,
  timings: TicketTimings,
): boolean {
  const most = longest(timings);
  const over = (hold: TimedHold | undefined, mostMs: number) =>
    hold !== undefined && hold.until - now > rest(hold, now, mostMs);
  const early = doubt !== undefined && doubt.since > now;
  return over(lease, most.lease) || over(backoff, most.backoff) || over(doubt?.hold, most.hold) || early;
}

/** The state as it reads after such a change; the same object when nothing lasts too long. */
export function capHolds(state: TicketState, now: number, timings: TicketTimings): TicketState {
  if (!exceedsItsHold(state, now, timings)) return state;
  const { lease, backoff, doubt } = state;
  const most = longest(timings);
  const cut = <T extends TimedHold>(hold: T, mostMs: number): T => {
    const restMs = rest(hold, now, mostMs);
    return { ...hold, until: now + restMs, ms: Math.min(hold.ms, mostMs) };
  };
  return {
    ...state,
    ...(lease && { lease: cut(lease, most.lease) }),
    ...(backoff && { backoff: cut(backoff, most.backoff) }),
    ...(doubt && {
      doubt: {
        ...doubt,
        since: Math.min(doubt.since, now),
        ...(doubt.hold && { hold: cut(doubt.hold, most.hold) }),
      },
    }),
  };
}
