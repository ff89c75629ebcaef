/**
 * What the replicas share: the published pair, the running refresh, and what is known to have gone wrong. Times are the
 * store's clock, milliseconds. Generations only rise, and serve as number, fencing token and clock at once.
 */
export interface TicketState {
  schema: typeof SCHEMA;
  /** The current pair: its generation, the sealed pair, and when it was committed. */
  published?: SealedPair;
  /** The generation granted with the last lease, ended or not. */
  granted: number;
  /** The right to refresh. `process`: by which others on that machine can see that the holder died (`processes.ts`). */
  lease?: TimedHold & { holder: string; process?: string };
  /** A refresh that began and has not reported its outcome: its token call may have rotated the token. */
  intent?: { generation: number; at: number };
  /** A new token whose SIGN ticket is still missing. */
  stage?: SealedPair;
  /**
   * Every generation up to `upTo` may be dead at the vendor; only the commit of a later one ends the doubt. The rotation
   * waits for `hold`; without one, for the floor after the last commit. `by`: an operator wants a new pair, whatever this
   * one's condition.
   */
  doubt?: { upTo: number; since: number; hold?: TimedHold; by?: "operator" };
  /** No refresh before it ends; with `of`, binds only replicas with these credentials, which the vendor refused. */
  backoff?: TimedHold & { of?: string };
  /** Number of consecutive failed refreshes. */
  failures: number;
  /** When pairs were invalidated because the vendor refused them. */
  forced: readonly number[];
  /** REFRESH_INTERVAL of the process that committed last, milliseconds. */
  intervalMs?: number;
}

export interface SealedPair {
  generation: number;
  sealed: string;
  at: number;
}

/** Ends at `until`, but at most `ms` from now, so that a clock that jumps back cannot prolong it. */
export interface TimedHold {
  until: number;
  ms: number;
}

/** The version of TicketState's layout; a state with a newer one is left alone. */
export const SCHEMA = 1;

export const EMPTY_STATE: TicketState = { schema: SCHEMA, granted: 0, failures: 0, forced: [] };

/** The backoff, if it binds a replica with these credentials. */
export const bindingBackoff = (
  backoff: TicketState["backoff"],
  credentials: string,
): TimedHold | undefined => (backoff?.of === undefined || backoff.of === credentials ? backoff : undefined);

/** Parses a store's text; `newer`: it has a newer layout; `corrupt`: it is not a state. */
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
