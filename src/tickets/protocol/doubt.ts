import type { TicketTimings } from "../../config/ticket-timings.ts";
import { exponentialMs } from "../../lib/backoff.ts";
import type { Operation, Transition } from "./operations.ts";
import type { TicketState, TimedHold } from "./state.ts";

/** The state with every generation up to `upTo` in doubt; merged with an existing doubt, whose hold a new `hold` replaces. */
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

/** Age of the doubt, milliseconds; 0 for none. */
export const doubtAgeMs = ({ doubt }: TicketState, now: number): number =>
  doubt ? Math.max(0, now - doubt.since) : 0;

/** Time until a doubt may cause a rotation, milliseconds; 0 for now, or if there is no doubt. */
export function doubtWaitMs({ doubt, published }: TicketState, now: number, floorMs: number): number {
  if (!doubt) return 0;
  if (doubt.hold) return Math.max(0, Math.min(doubt.hold.until - now, doubt.hold.ms));
  // After the clock went back, the commit may appear to be in the future.
  return published && published.at <= now ? Math.max(0, published.at + floorMs - now) : 0;
}

/** Rotations after refusals that need not wait, per window: each may be a changed secret or a restart at the vendor. */
const UNDELAYED_ROTATIONS = 3;

/**
 * Puts the published pair in doubt because the vendor refused it or an operator wants a new one; once per generation, but
 * an operator's request overrides the wait that refusals incurred. Pure.
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
  const holdFor = (requiredMs: number): TimedHold => {
    const ms = Math.min(Math.max(0, requiredMs), forcedWindowMs);
    return { until: now + ms, ms };
  };
  if (by === "operator") {
    return { state: doubted(state, generation, now, holdFor(floorMs - sinceCommitMs), by), status: "ok" };
  }
  const recent = state.forced.filter((at) => at <= now && now - at < forcedWindowMs);
  const forced = [...recent, now].slice(-forcedBudget - 1);
  // The first few at once, then ever rarer: two installations with one app id must not kill each other every minute.
  const further = forced.length - UNDELAYED_ROTATIONS;
  const spacingMs =
    further > 0 ? exponentialMs({ baseMs: floorMs, maxMs: Infinity }, further - 1) - sinceCommitMs : 0;
  const [oldest = now] = forced.slice(-forcedBudget - 1);
  const budgetMs = forced.length > forcedBudget ? oldest + forcedWindowMs - now : 0;
  const hold = holdFor(Math.max(spacingMs, budgetMs));
  return { state: { ...doubted(state, generation, now, hold), forced }, status: "ok" };
}

/** The maxDurations lease any release writes for the vendor's one-minute overlap, milliseconds. */
const MAX_LEASE_MS = 20_000;

/** The maxDurations duration written for each kind of hold, milliseconds. */
const maxDurations = ({ leaseMs, slowBackoffMs, forcedWindowMs }: TicketTimings) => ({
  // At least what a holder configured with another TOKEN_OVERLAP may rely on.
  lease: Math.max(leaseMs, MAX_LEASE_MS),
  backoff: slowBackoffMs.max,
  hold: forcedWindowMs,
});

/** What may remain of `hold`, milliseconds: at max its own duration, and the maxDurations of its kind. */
const remainingMs = (hold: TimedHold, now: number, maxMs: number): number =>
  Math.min(hold.until - now, hold.ms, maxMs);

/**
 * Whether a hold lasts longer than its duration, or a doubt began in the future: possible only if the clock went back or the
 * state was edited by hand.
 */
export function exceedsItsHold(
  { lease, backoff, doubt }: TicketState,
  now: number,
  timings: TicketTimings,
): boolean {
  const max = maxDurations(timings);
  const tooLong = (hold: TimedHold | undefined, maxMs: number) =>
    hold !== undefined && hold.until - now > remainingMs(hold, now, maxMs);
  const fromFuture = doubt !== undefined && doubt.since > now;
  return (
    tooLong(lease, max.lease) || tooLong(backoff, max.backoff) || tooLong(doubt?.hold, max.hold) || fromFuture
  );
}

/** The state with such holds cut to their durations; the same object if there are none. */
export function capHolds(state: TicketState, now: number, timings: TicketTimings): TicketState {
  if (!exceedsItsHold(state, now, timings)) return state;
  const { lease, backoff, doubt } = state;
  const max = maxDurations(timings);
  const cut = <T extends TimedHold>(hold: T, maxMs: number): T => ({
    ...hold,
    until: now + remainingMs(hold, now, maxMs),
    ms: Math.min(hold.ms, maxMs),
  });
  return {
    ...state,
    ...(lease && { lease: cut(lease, max.lease) }),
    ...(backoff && { backoff: cut(backoff, max.backoff) }),
    ...(doubt && {
      doubt: {
        ...doubt,
        since: Math.min(doubt.since, now),
        ...(doubt.hold && { hold: cut(doubt.hold, max.hold) }),
      },
    }),
  };
}
