import type { TurnableClock } from "../turnable-clock.ts";

/** Lifetimes, milliseconds (protocol.md 1 to 4 and 6.1). */
export interface Lifetimes {
  /** How long the previous token, or the previous SIGN ticket, outlives a new one. */
  overlapMs: number;
  tokenLifeMs: number;
  ticketLifeMs: number;
  nonceLifeMs: number;
  /** Min time between two NONCE tickets for one user. */
  nonceIntervalMs: number;
  faceIdLifeMs: number;
  recordLifeMs: number;
}

/** An access token. Dead ones are kept for a while, to distinguish them from tokens never issued. */
export interface AccessToken {
  value: string;
  /** 1 for the first token of this sandbox, increasing by one. */
  generation: number;
  issuedAt: number;
  expiresAt: number;
  /** Whether it was issued by `rotate`, so that no caller has it. */
  foreign: boolean;
}

/** A ticket; it dies at `expiresAt` or with its token, whichever is first. */
export interface Ticket {
  value: string;
  token: AccessToken;
  issuedAt: number;
  expiresAt: number;
  /** Whether a launch has consumed it; NONCE tickets only. */
  used: boolean;
}

/** Issued tokens and tickets, and the rules for their lifetimes. */
export interface Credentials {
  /** Issues a token; older ones live on for the overlap. */
  issueToken(options?: { foreign?: boolean }): AccessToken;
  findToken(value: string): AccessToken | undefined;
  /** Newest first, dead ones included. */
  tokens(): readonly AccessToken[];
  /** The newest token, alive or not. */
  currentToken(): AccessToken | undefined;
  /** Issues a SIGN ticket; older ones live on for the overlap (protocol.md 2). */
  issueSignTicket(token: AccessToken): Ticket;
  issueNonceTicket(token: AccessToken, userId: string): Ticket;
  /** Newest first, dead ones included. */
  signTickets(): readonly Ticket[];
  nonceTickets(userId: string): readonly Ticket[];
  /** Users with NONCE tickets. */
  nonceUsers(): Iterable<string>;
  isAlive(credential: AccessToken | Ticket): boolean;
  /** The values of all tokens and tickets still remembered. */
  values(): string[];
  /** Kills every token, and so every ticket (protocol.md 1: a changed secret). */
  revokeAll(): void;
  /** Undoes rotations by `rotate` and revocations: the newest token of a caller lives its whole life. */
  restore(): void;
}

/** How long dead credentials are remembered, milliseconds, to report why a signature is wrong. */
const KEEP_DEAD_MS = 600_000;

/** `create` generates new values. */
export function createCredentials(
  clock: TurnableClock,
  create: { token: () => string; ticket: () => string },
  lifetimes: Lifetimes,
): Credentials {
  let tokens: AccessToken[] = [];
  let signTickets: Ticket[] = [];
  const nonceTickets = new Map<string, Ticket[]>();
  let generation = 0;

  const isRemembered = ({ expiresAt }: { expiresAt: number }) => expiresAt + KEEP_DEAD_MS > clock.now();

  function curtail(credentials: readonly { expiresAt: number }[]): void {
    const latest = clock.now() + lifetimes.overlapMs;
    for (const credential of credentials) credential.expiresAt = Math.min(credential.expiresAt, latest);
  }

  function issueTicket(token: AccessToken, lifeMs: number): Ticket {
    const issuedAt = clock.now();
    return { value: create.ticket(), token, issuedAt, expiresAt: issuedAt + lifeMs, used: false };
  }

  return {
    issueToken({ foreign = false } = {}) {
      curtail(tokens);
      const issuedAt = clock.now();
      generation += 1;
      const token = {
        value: create.token(),
        generation,
        issuedAt,
        expiresAt: issuedAt + lifetimes.tokenLifeMs,
        foreign,
      };
      tokens = [token, ...tokens.filter(isRemembered)];
      return token;
    },
    findToken: (value) => tokens.find((token) => token.value === value),
    tokens: () => tokens,
    currentToken: () => tokens[0],
    issueSignTicket(token) {
      curtail(signTickets);
      const ticket = issueTicket(token, lifetimes.ticketLifeMs);
      signTickets = [ticket, ...signTickets.filter(isRemembered)];
      return ticket;
    },
    issueNonceTicket(token, userId) {
      for (const [user, [latest]] of nonceTickets) {
        if (latest && isRemembered(latest)) break;
        nonceTickets.delete(user);
      }
      const ticket = issueTicket(token, lifetimes.nonceLifeMs);
      const earlier = nonceTickets.get(userId) ?? [];
      // Re-inserted, so that the users idle longest are at the front of the map.
      nonceTickets.delete(userId);
      nonceTickets.set(userId, [ticket, ...earlier.filter(isRemembered)]);
      return ticket;
    },
    signTickets: () => signTickets,
    nonceTickets: (userId) => nonceTickets.get(userId) ?? [],
    nonceUsers: () => nonceTickets.keys(),
    isAlive(credential) {
      const now = clock.now();
      return now < credential.expiresAt && (!("token" in credential) || now < credential.token.expiresAt);
    },
    values: () => [...tokens, ...signTickets, ...[...nonceTickets.values()].flat()].map(({ value }) => value),
    revokeAll() {
      const now = clock.now();
      for (const token of tokens) token.expiresAt = Math.min(token.expiresAt, now);
    },
    restore() {
      tokens = tokens.filter(({ foreign }) => !foreign);
      const [newest] = tokens;
      if (newest) newest.expiresAt = newest.issuedAt + lifetimes.tokenLifeMs;
    },
  };
}
