/**
 * What the replicas share: the published pair, who is refreshing, and what is known to have gone wrong. Times are the
 * store's clock, milliseconds. Generations rise for ever and are at once number, fencing token and clock.
 */
export interface TicketState {
  schema: typeof SCHEMA;
  /** The pair in use: its generation, the sealed pair, and when it was committed. */
  published?: SealedPair;
  /** The generation given to the last lease, whether or not it is over. */
  granted: number;
  /** Who may refresh, and until when; `process`: where its death can be seen (`processes.ts`). */
  lease?: TimedHold & { holder: string; process?: string };
  /** A refresh that began and has not reported: its token call may have rotated the token. */
  intent?: { generation: number; at: number };
  /** A new token whose SIGN ticket is still missing. */
  stage?: SealedPair;
  /**
   * Every generation up to `upTo` may be dead at the vendor; only the commit of a later one ends the doubt. The rotation
   * waits for `hold`; without one, for the floor after the last commit. `by`: an operator wants a new pair, whatever is
   * the matter with this one.
   */
  doubt?: { upTo: number; since: number; hold?: TimedHold; by?: "operator" };
  /** No refresh before this; with `of`, only for those with these credentials, which the vendor did not accept. */
  backoff?: TimedHold & { of?: string };
  /** Refreshes in a row that failed. */
  failures: number;
  /** When pairs were given up because the vendor refused them. */
  forced: readonly number[];
  /** REFRESH_INTERVAL of whoever committed last, milliseconds. */
  intervalMs?: number;
}

export interface SealedPair {
  generation: number;
  sealed: string;
  at: number;
}

/** Ends at `until`, and never later than `ms` from now: so a clock that jumps back cannot prolong it. */
export interface TimedHold {
  until: number;
  ms: number;
}

/** The layout of TicketState; a state of a newer one is left alone. */
export const SCHEMA = 1;

export const EMPTY_STATE: TicketState = { schema: SCHEMA, granted: 0, failures: 0, forced: [] };

/** The backoff, if it is one for a replica with these credentials. */
export const bindingBackoff = (
  backoff: TicketState["backoff"],
  credentials: string,
): TimedHold | undefined => (backoff?.of === undefined || backoff.of === credentials ? backoff : undefined);

/** A state from a store's text: the state, that it is of a newer layout, or that it is none. */
export function parseState(text: string): TicketState | "newer" | "corrupt" {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return "corrupt";
  }
  const state = json as Partial<Record<keyof TicketState, unknown>> | null;
  const { schema } = state ?? {};
  if (typeof schema === "number" && schema > SCHEMA) return "newer";
  return schema === SCHEMA && isState(state) ? state : "corrupt";
}

type Check = (value: unknown) => boolean;
const number: Check = (value) => Number.isSafeInteger(value);
const text: Check = (value) => typeof value === "string";
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const shape =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]));

const hold = { until: number, ms: number };
const sealed = shape({ generation: number, sealed: text, at: number });
const fields = shape({
  granted: number,
  failures: number,
  forced: (value) => Array.isArray(value) && value.every(number),
  published: optional(sealed),
  stage: optional(sealed),
  lease: optional(shape({ ...hold, holder: text, process: optional(text) })),
  intent: optional(shape({ generation: number, at: number })),
  doubt: optional(
    shape({
      upTo: number,
      since: number,
      hold: optional(shape(hold)),
      by: optional((value) => value === "operator"),
    }),
  ),
  backoff: optional(shape({ ...hold, of: optional(text) })),
  intervalMs: optional(number),
});
const isState = (value: unknown): value is TicketState => fields(value);
