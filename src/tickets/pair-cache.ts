import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { Secret } from "../lib/redacted.ts";
import type { IssuedPair } from "./pair.ts";
import type { TicketPair } from "./reader.ts";

/** A decrypted pair with its known ages, as a candidate for the cache. */
export interface OpenedPair {
  generation: number;
  sealed: string;
  issued: IssuedPair;
  /** Time since its commit and since its two calls, milliseconds, at `asOf` on the monotonic clock. */
  ageMs: number;
  tokenAgeMs: number;
  signAgeMs: number;
  asOf: number;
  /** Whether this replica obtained it. */
  own: boolean;
}

/** The cached pair; immutable, replaced as a whole. */
export interface CachedPair {
  readonly pair: TicketPair;
  readonly sealed: string;
  readonly secretId: string;
  /** Monotonic times: of its commit, of its two calls, when a refresh is due here, when it must no longer be used. */
  readonly bornAt: number;
  readonly tokenBornAt: number;
  readonly signBornAt: number;
  readonly dueAt: number;
  readonly endsAt: number;
}

/** How long token and ticket both remain valid, from `asOf`, milliseconds. */
const remainingLifeMs = ({ issued, tokenAgeMs, signAgeMs }: OpenedPair) =>
  Math.min(issued.lifeMs - tokenAgeMs, issued.signLifeMs - signAgeMs);

/** How long the vendor's front-end signatures made with a SIGN ticket are recognised, milliseconds: a ticket's life (protocol.md 2). */
const SIGN_TICKET_MS = 60 * 60_000;
/** Max number of tickets kept for that: at the vendor's cadence an hour has three. */
const SIGN_TICKETS = 4;

/** Caches the newest pair seen. All reckoning of ages happens here, on the monotonic clock alone. */
export function createPairCache(clock: Clock, timings: TicketTimings, random: () => number) {
  const { refreshIntervalMs, overlapMs, hardMarginMs, jitterMs, pollMs } = timings;
  let latest: CachedPair | undefined;
  let previous: { generation: number; supersededAt: number } | undefined;
  /** Replaced SIGN tickets, newest first. */
  let replaced: readonly { ticket: Secret; until: number }[] = [];
  let rotatesAt = 0;
  let adoptedAt = Number.NEGATIVE_INFINITY;
  let arrival = Promise.withResolvers<TicketPair>();
  /** How long a replaced token certainly still works, from when this replica learns of it. */
  const sureOverlapMs = overlapMs - pollMs * 1.2;

  return {
    /** The cached pair, usable or not. */
    get latest(): CachedPair | undefined {
      return latest;
    },

    /** When the cached pair was adopted, on the monotonic clock. */
    get adoptedAt(): number {
      return adoptedAt;
    },

    /** Time since the commit of the cached pair, milliseconds. */
    ageMs: () => (latest ? clock.monotonic() - latest.bornAt : 0),

    /** Whether the pair is too close to its end to be used. */
    isOver: (opened: OpenedPair) => remainingLifeMs(opened) <= hardMarginMs,

    isUsable: () => latest !== undefined && clock.monotonic() < latest.endsAt,

    /** The cached pair, if usable: one property read. */
    usable: (): TicketPair | undefined =>
      latest !== undefined && clock.monotonic() < latest.endsAt ? latest.pair : undefined,

    /** Adopts the pair if it is newer than the cached one: generations only rise. */
    adopt(opened: OpenedPair): boolean {
      const { generation, sealed, issued, ageMs, tokenAgeMs, signAgeMs, asOf, own } = opened;
      if (latest && generation <= latest.pair.generation) return false;
      // The vendor's one hour allows twenty minutes; a shorter life shortens the interval in proportion.
      const intervalMs = Math.min(refreshIntervalMs, issued.signLifeMs / 3);
      const bornAt = asOf - ageMs;
      rotatesAt = bornAt + intervalMs;
      // The last refresher goes first again and the others stand by, without an election.
      const delayMs = own ? 0 : jitterMs.from + random() * (jitterMs.to - jitterMs.from);
      if (latest) {
        previous = { generation: latest.pair.generation, supersededAt: clock.monotonic() };
        const { signTicket: ticket } = latest.pair;
        const former = { ticket, until: latest.signBornAt + SIGN_TICKET_MS };
        replaced = [former, ...replaced].slice(0, SIGN_TICKETS - 1);
      }
      latest = Object.freeze({
        pair: Object.freeze({ generation, accessToken: issued.accessToken, signTicket: issued.signTicket }),
        sealed,
        secretId: issued.secretId,
        bornAt,
        tokenBornAt: asOf - tokenAgeMs,
        signBornAt: asOf - signAgeMs,
        dueAt: rotatesAt + delayMs,
        endsAt: asOf + remainingLifeMs(opened) - hardMarginMs,
      });
      adoptedAt = clock.monotonic();
      arrival.resolve(latest.pair);
      arrival = Promise.withResolvers();
      return true;
    },

    /** The SIGN tickets of the last hour that this process has had, the current one first. */
    signTickets(): Secret[] {
      const now = clock.monotonic();
      const former = replaced.filter(({ until }) => now < until).map(({ ticket }) => ticket);
      return latest ? [latest.pair.signTicket, ...former] : former;
    },

    /** Resolves at the next adoption. */
    next: () => arrival.promise,

    /** Marks the pair as replaceable by any replica from now on. */
    expectRotation() {
      rotatesAt = Math.min(rotatesAt, clock.monotonic());
    },

    safeUntil({ generation }: TicketPair): number {
      const now = clock.monotonic();
      if (latest?.pair.generation === generation) return Math.max(now, rotatesAt) + sureOverlapMs;
      const from = previous?.generation === generation ? previous.supersededAt : now - overlapMs;
      return from + sureOverlapMs;
    },
  };
}

export type PairCache = ReturnType<typeof createPairCache>;
