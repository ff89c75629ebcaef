import type { Hold, TicketState } from "./record.ts";

/** Whether something lasts longer than it was meant to, which only a clock that went back can bring about. */
export function outlasts({ lease, backoff, doubt }: TicketState, now: number): boolean {
  return [lease, backoff, doubt?.hold].some((hold) => hold !== undefined && hold.until - now > hold.ms);
}

/** The state as it reads after a clock that went back; the same object when nothing lasts too long. */
export function clamped(state: TicketState, now: number): TicketState {
  if (!outlasts(state, now)) return state;
  const { lease, backoff, doubt } = state;
  const cut = <T extends Hold>(hold: T): T => ({ ...hold, until: Math.min(hold.until, now + hold.ms) });
  return {
    ...state,
    ...(lease && { lease: cut(lease) }),
    ...(backoff && { backoff: cut(backoff) }),
    ...(doubt?.hold && { doubt: { ...doubt, hold: cut(doubt.hold) } }),
  };
}
