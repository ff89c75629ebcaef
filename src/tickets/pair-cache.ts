import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { IssuedPair } from "./pair.ts";
import type { TicketPair } from "./reader.ts";

/** A pair to be held: opened, with what is known of its age. */
export interface OpenedPair {
  generation: number;
  sealed: string;
  issued: IssuedPair;
  /** Age since its commit, and time since its two calls, milliseconds, at `asOf` on the monotonic clock. */
  ageMs: number;
  tokenAgeMs: number;
  signAgeMs: number;
  asOf: number;
  /** Whether this replica obtained it. */
  own: boolean;
}

/** The pair in hand. Frozen; a newer one takes its place as a whole. */
export interface CachedPair {
  readonly pair: TicketPair;
  readonly sealed: string;
  readonly secretId: string;
  /** Monotonic times: of its commit, of its two calls, from when a refresh is due here, from when it must not be used. */
  readonly bornAt: number;
  readonly tokenBornAt: number;
  readonly signBornAt: number;
  readonly dueAt: number;
  readonly endsAt: number;
}

/** How long token and ticket both last, from `asOf`, milliseconds. */
const leftMs = ({ issued, tokenAgeMs, signAgeMs }: OpenedPair) =>
  Math.min(issued.lifeMs - tokenAgeMs, issued.signLifeMs - signAgeMs);

/** Holds the newest pair seen. Everything about ages happens here, on the monotonic clock alone. */
export function createPairCache(clock: Clock, timings: TicketTimings, random: () => number) {
  const { refreshIntervalMs, overlapMs, hardMarginMs, jitterMs, pollMs } = timings;
  let latest: CachedPair | undefined;
  let previous: { generation: number; supersededAt: number } | undefined;
  let rotatesAt = 0;
  let adoptedAt = Number.NEGATIVE_INFINITY;
  let arrival = Promise.withResolvers<TicketPair>();
  /** How long the old token certainly works once it is replaced, from when this replica knows. */
  const sureOverlapMs = overlapMs - pollMs * 1.2;

  return {
    /** The pair in hand, usable or not. */
    get latest(): CachedPair | undefined {
      return latest;
    },

    /** When the pair in hand was taken, on the monotonic clock. */
    get adoptedAt(): number {
      return adoptedAt;
    },

    /** Time since the commit of the pair in hand, milliseconds. */
    ageMs: () => (latest ? clock.monotonic() - latest.bornAt : 0),

    /** Whether the candidate has nothing left to be used for. */
    isOver: (opened: OpenedPair) => leftMs(opened) <= hardMarginMs,

    isUsable: () => latest !== undefined && clock.monotonic() < latest.endsAt,

    /** The pair in hand, if it can be used: one property read. */
    usable: (): TicketPair | undefined =>
      latest !== undefined && clock.monotonic() < latest.endsAt ? latest.pair : undefined,

    /** Takes the candidate if it is newer than what is held: generations only rise. */
    adopt(opened: OpenedPair): boolean {
      const { generation, sealed, issued, ageMs, tokenAgeMs, signAgeMs, asOf, own } = opened;
      if (latest && generation <= latest.pair.generation) return false;
      // The vendor's hour allows twenty minutes; a shorter life shortens the interval in proportion.
      const intervalMs = Math.min(refreshIntervalMs, issued.signLifeMs / 3);
      const bornAt = asOf - ageMs;
      rotatesAt = bornAt + intervalMs;
      // Who refreshed last does so again, and the others stand by, without an election.
      const delayMs = own ? 0 : jitterMs.from + random() * (jitterMs.to - jitterMs.from);
      if (latest) previous = { generation: latest.pair.generation, supersededAt: clock.monotonic() };
      latest = Object.freeze({
        pair: Object.freeze({ generation, accessToken: issued.accessToken, signTicket: issued.signTicket }),
        sealed,
        secretId: issued.secretId,
        bornAt,
        tokenBornAt: asOf - tokenAgeMs,
        signBornAt: asOf - signAgeMs,
        dueAt: rotatesAt + delayMs,
        endsAt: asOf + leftMs(opened) - hardMarginMs,
      });
      adoptedAt = clock.monotonic();
      arrival.resolve(latest.pair);
      arrival = Promise.withResolvers();
      return true;
    },

    /** Resolves at the next adoption. */
    next: () => arrival.promise,

    /** Tells that any replica may replace the pair from now on. */
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
