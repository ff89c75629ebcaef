import type { Hold, TicketState } from "./record.ts";

/** The state with a doubt about every generation up to `upTo`; an older doubt goes on, and a new `hold` replaces its own. */
export function doubted(
  state: TicketState,
  upTo: number,
  since: number,
  hold?: Hold,
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
