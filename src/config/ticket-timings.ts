/** Every duration of the ticket cache, milliseconds (ticket-cache.md 2.5). */
export interface TicketTimings {
  /** Age at which a pair is replaced; the vendor requires 20 minutes (protocol.md 1). */
  refreshIntervalMs: number;
  /** How long a token stays valid after its successor was issued. Everything below scales with it. */
  overlapMs: number;
  /** Timeouts of a token call, a SIGN ticket call and a store operation. */
  tokenTimeoutMs: number;
  signTimeoutMs: number;
  storeTimeoutMs: number;
  /** Length of the lease for a token call, and the margin at its end reserved for slow writes. */
  leaseMs: number;
  marginMs: number;
  /** Once the token is staged: how long its ticket call is retried, and how often the lease is renewed. */
  ticketPatienceMs: number;
  beatMs: number;
  /**
   * Lease length between renewals once no token call can follow; a dead process is detected within this time.
   */
  silenceMs: number;
  /** Pause after a token call with an unknown outcome: it may still be in flight. */
  quiesceMs: number;
  /** Min time between a commit and a rotation caused by a doubt about it. */
  floorMs: number;
  /** How often the store is read, give or take a fifth. */
  pollMs: number;
  /** Extra delay before a replica other than the last refresher begins. */
  jitterMs: { from: number; to: number };
  /** A pair is no longer used this long before its SIGN ticket or token expires. */
  hardMarginMs: number;
  /** Backoff after a failure that certainly rotated nothing, and after one that only time can resolve. */
  backoffMs: { base: number; max: number };
  slowBackoffMs: { base: number; max: number };
  /** The window for counting rotations forced by refusals, and the max number in it. */
  forcedWindowMs: number;
  forcedBudget: number;
}

const MINUTE = 60_000;
/** Min lifetime of a pair: that of its SIGN ticket (protocol.md 2). */
const SIGN_LIFE_MS = 60 * MINUTE;
/** Time to repair the store or the token endpoint before callers are affected. */
const SLACK_MS = 30 * MINUTE;

/** Derives all timings; with the vendor's overlap of one minute they match ticket-cache.md 2.5. */
export function deriveTimings(input: { refreshIntervalMs: number; tokenOverlapMs: number }): TicketTimings {
  const { refreshIntervalMs, tokenOverlapMs: overlapMs } = input;
  // Whole milliseconds: stored values have no fractions.
  const scaled = (msAtOneMinute: number) => Math.round((msAtOneMinute * overlapMs) / MINUTE);
  return {
    refreshIntervalMs,
    overlapMs,
    tokenTimeoutMs: scaled(6_000),
    signTimeoutMs: scaled(4_000),
    storeTimeoutMs: scaled(1_500),
    leaseMs: scaled(13_500),
    marginMs: scaled(4_000),
    ticketPatienceMs: scaled(8_000),
    beatMs: scaled(500),
    silenceMs: scaled(2_000),
    quiesceMs: scaled(3_000),
    floorMs: scaled(15_000),
    pollMs: scaled(5_000),
    jitterMs: { from: scaled(10_000), to: scaled(45_000) },
    hardMarginMs: overlapMs,
    backoffMs: { base: scaled(2_000), max: scaled(60_000) },
    slowBackoffMs: { base: scaled(60_000), max: scaled(600_000) },
    forcedWindowMs: scaled(60 * MINUTE),
    forcedBudget: 6,
  };
}

/** Violated inequalities of ticket-cache.md 0, in words; the service must not start with any. */
export function timingProblems(timings: TicketTimings): string[] {
  const { refreshIntervalMs, overlapMs, tokenTimeoutMs, signTimeoutMs, leaseMs, marginMs, pollMs } = timings;
  const { quiesceMs, floorMs, jitterMs, hardMarginMs, ticketPatienceMs, storeTimeoutMs, beatMs, silenceMs } =
    timings;
  const slowestPollMs = pollMs * 1.2;
  const rules: [holds: boolean, rule: string][] = [
    [
      2 * storeTimeoutMs + tokenTimeoutMs + marginMs <= leaseMs,
      "two answers of the store, a token call and the margin must fit the lease",
    ],
    [signTimeoutMs <= ticketPatienceMs, "a ticket call must fit the time for the ticket"],
    [3 * beatMs <= silenceMs && silenceMs <= leaseMs, "three beats must fit the silence, and that the lease"],
    [
      leaseMs + slowestPollMs + tokenTimeoutMs + signTimeoutMs < overlapMs,
      "a refresher that died must be replaced within TOKEN_OVERLAP",
    ],
    [tokenTimeoutMs + quiesceMs <= overlapMs / 4, "four token calls must fit TOKEN_OVERLAP"],
    [
      slowestPollMs + tokenTimeoutMs + signTimeoutMs < overlapMs,
      "a replica that missed a change must notice within TOKEN_OVERLAP",
    ],
    [
      floorMs >= quiesceMs && floorMs < overlapMs / 2,
      "the rotation floor must lie between the pause and half of TOKEN_OVERLAP",
    ],
    [
      refreshIntervalMs >= leaseMs + slowestPollMs,
      `REFRESH_INTERVAL must be at least ${seconds(leaseMs + slowestPollMs)}, a lease and a poll`,
    ],
    [
      refreshIntervalMs + jitterMs.to + SLACK_MS <= SIGN_LIFE_MS - hardMarginMs,
      `REFRESH_INTERVAL must be at most ${seconds(SIGN_LIFE_MS - hardMarginMs - SLACK_MS - jitterMs.to)}, or fewer than 30 min remain to repair a refresh that fails`,
    ],
    [overlapMs >= 500, "TOKEN_OVERLAP must be at least 500ms, or no call can be made in time"],
  ];
  return rules.filter(([holds]) => !holds).map(([, rule]) => rule);
}

const seconds = (ms: number) => `${Math.floor(ms / 100) / 10}s`;
