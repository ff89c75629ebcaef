import type { TurnableClock } from "../turnable-clock.ts";

/** How long things live, milliseconds (protocol.md 1 to 4 and 6.1). */
export interface Lifetimes {
  /** How long the previous token, or the previous SIGN ticket, outlives a new one. */
  overlapMs: number;
  tokenLifeMs: number;
  ticketLifeMs: number;
  nonceLifeMs: number;
  /** Least time between two NONCE tickets for one user. */
  nonceIntervalMs: number;
  faceIdLifeMs: number;
  recordLifeMs: number;
}

/** An access token. Dead ones are kept for a while to tell a dead token from one that never was. */
export interface AccessToken {
  value: string;
  /** 1 for the first token of this sandbox, rising by one. */
  generation: number;
  issuedAt: number;
  expiresAt: number;
  /** Whether it was taken by `rotate`, so that nobody who calls here holds it. */
  foreign: boolean;
}

/** A ticket; it dies at `expiresAt` or with its token, whichever is first. */
export interface Ticket {
  value: string;
  token: AccessToken;
  issuedAt: number;
  expiresAt: number;
  /** Whether a launch has burnt it; NONCE tickets only. */
  used: boolean;
}

/** Tokens and tickets that were issued, and their rules of time. */
export interface Credentials {
  /** A new token; leaves the older ones the overlap. */
  issueToken(options?: { foreign?: boolean }): AccessToken;
  findToken(value: string): AccessToken | undefined;
  /** Newest first, dead ones included. */
  tokens(): readonly AccessToken[];
  /** The newest token, alive or not. */
  currentToken(): AccessToken | undefined;
  /** A new SIGN ticket; leaves the older ones the overlap (protocol.md 2). */
  issueSignTicket(token: AccessToken): Ticket;
  issueNonceTicket(token: AccessToken, userId: string): Ticket;
  /** Newest first, dead ones included. */
  signTickets(): readonly Ticket[];
  nonceTickets(userId: string): readonly Ticket[];
  /** Users who hold NONCE tickets. */
  nonceUsers(): Iterable<string>;
  isAlive(credential: AccessToken | Ticket): boolean;
  /** The value of every token and ticket that is still remembered. */
  values(): string[];
  /** Every token, and so every ticket, dies now (protocol.md 1: a changed secret). */
  revokeAll(): void;
}

/** Dead credentials are remembered this long, to say of a signature why it is wrong. */
const KEEP_DEAD_MS = 600_000;

/** `make`: new values. */
export function createCredentials(
  clock: TurnableClock,
  make: { token: () => string; ticket: () => string },
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
    return { value: make.ticket(), token, issuedAt, expiresAt: issuedAt + lifeMs, used: false };
  }

  return {
    issueToken({ foreign = false } = {}) {
      curtail(tokens);
      const issuedAt = clock.now();
      generation += 1;
      const token = {
        value: make.token(),
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
      // Taken out and put back, so that the users at the front of the map are those who have been idle longest.
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
  };
}
