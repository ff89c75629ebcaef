import type { TicketTimings } from "../domain/timings.ts";
import { doubted } from "./doubt.ts";
import type { Operation, Transition } from "./operation.ts";
import type { Hold, TicketState } from "./record.ts";

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
  const held = (wantedMs: number): Hold => {
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
  const spacingMs = further > 0 ? floorMs * 2 ** (further - 1) - sinceCommitMs : 0;
  const [oldest = now] = forced.slice(-forcedBudget - 1);
  const budgetMs = forced.length > forcedBudget ? oldest + forcedWindowMs - now : 0;
  const hold = held(Math.max(spacingMs, budgetMs));
  return { state: { ...doubted(state, generation, now, hold), forced }, status: "ok" };
}
