import type { TicketTimings } from "../domain/timings.ts";
import type { Hold, TicketState } from "./record.ts";

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
const rest = (hold: Hold, now: number, mostMs: number): number => Math.min(hold.until - now, hold.ms, mostMs);

/**
 * Whether something lasts longer than it was meant to, or began in the future: which only a clock that went back, or a
 * stranger's hand, can bring about.
 */
export function outlasts(
  { lease, backoff, doubt }: TicketState,
  now: number,
  timings: TicketTimings,
): boolean {
  const most = longest(timings);
  const over = (hold: Hold | undefined, mostMs: number) =>
    hold !== undefined && hold.until - now > rest(hold, now, mostMs);
  const early = doubt !== undefined && doubt.since > now;
  return over(lease, most.lease) || over(backoff, most.backoff) || over(doubt?.hold, most.hold) || early;
}

/** The state as it reads after such a change; the same object when nothing lasts too long. */
export function clamped(state: TicketState, now: number, timings: TicketTimings): TicketState {
  if (!outlasts(state, now, timings)) return state;
  const { lease, backoff, doubt } = state;
  const most = longest(timings);
  const cut = <T extends Hold>(hold: T, mostMs: number): T => {
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
