import type { Breach } from "../vendor/breaches.ts";
import type { AccessToken, Ticket } from "../vendor/credentials.ts";
import type { State } from "../vendor/state.ts";
import type { Fault } from "./faults.ts";
import type { JournalCall } from "./journal.ts";
import type { Stats } from "./stats.ts";

/** A token or SIGN ticket without its value. Times are sandbox time, milliseconds since the Unix epoch. */
export interface LifeSpan {
  /** The token's generation; for a ticket, that of the token it was issued for. */
  generation: number;
  issuedAt: number;
  /** When it dies; a ticket dies with its token. */
  expiresAt: number;
  /** Whether it was issued to a foreign rotation, so that no caller has it. */
  foreign: boolean;
}

/** Everything the console shows (GET /sandbox/picture). Contains no token, ticket or personal data. */
export interface Picture {
  now: number;
  /** When the sandbox started, or was last reset. */
  startedAt: number;
  appId: string;
  overlapMs: number;
  /** Newest first. Dead ones are remembered for ten minutes. */
  tokens: LifeSpan[];
  signTickets: LifeSpan[];
  /** The latest few hundred, oldest first. */
  calls: readonly JournalCall[];
  faults: readonly Fault[];
  /** Latency of every call, milliseconds. */
  latencyMs: number;
  breaches: readonly Breach[];
  stats: Stats;
}

/** How many of the latest breaches the picture contains. */
const MAX_BREACHES = 20;

export function takePicture(
  { clock, appId, lifetimes, credentials, breaches }: State,
  rest: Pick<Picture, "startedAt" | "calls" | "faults" | "stats" | "latencyMs">,
): Picture {
  const tokenSpan = ({ value: _hidden, ...span }: AccessToken): LifeSpan => span;
  const ticketSpan = ({ token, issuedAt, expiresAt }: Ticket): LifeSpan => ({
    generation: token.generation,
    issuedAt,
    expiresAt: Math.min(expiresAt, token.expiresAt),
    foreign: false,
  });
  return {
    now: clock.now(),
    appId,
    overlapMs: lifetimes.overlapMs,
    tokens: credentials.tokens().map(tokenSpan),
    signTickets: credentials.signTickets().map(ticketSpan),
    breaches: breaches.list.slice(-MAX_BREACHES),
    ...rest,
  };
}
