/** Deliveries sent to an endpoint between two decisions on its health. */
export interface Round {
  /** Failed rounds before this one. */
  readonly failures: number;
  /** Whether another delivery may be sent in this round, beside those under way. */
  readonly open: boolean;
  readonly failed: ReadonlySet<number>;
  /** Whether another delivery has been delivered since `startedAt`: the endpoint worked while the try failed. */
  workedSince(startedAt: number): boolean;
  succeeded(at: number): void;
  /** `doubtful`: it may be due to this delivery. */
  endpointFailed(sequence: number, doubtful: boolean): void;
}

/**
 * A round ends with a failure that is certainly the endpoint's, or with the doubtful failures of two deliveries. The first in
 * sequence is tried in every round, so that the sequence is kept over an outage; the second tells an outage from an event
 * that the receiver cannot digest, which must not delay the others. Times are monotonic.
 */
export function createRound(failures: number): Round {
  const failed = new Set<number>();
  let before = failures;
  let certain = false;
  let succeededAt = Number.NEGATIVE_INFINITY;

  return {
    get failures() {
      return before;
    },
    get open() {
      return !certain && failed.size < 2;
    },
    failed,
    workedSince: (startedAt) => succeededAt > startedAt,
    succeeded(at) {
      succeededAt = at;
      before = 0;
      certain = false;
      failed.clear();
    },
    endpointFailed(sequence, doubtful) {
      failed.add(sequence);
      if (!doubtful) certain = true;
    },
  };
}
