import { ErrorReason, ServiceError, UpstreamError } from "../errors.ts";
import type { LaunchStore } from "../launches/store.ts";
import { randomToken } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";

export interface NonceSpacingOptions {
  /** Shared by all replicas if there is a Redis, otherwise local to this process. */
  store: Pick<LaunchStore, "claim" | "release">;
  clock: Clock;
}

/**
 * Runs `fetchTicket`, which requests a NONCE ticket for this user, when it is this call's turn. Rejects as
 * `fetchTicket` does, with the signal's reason, or with RATE_LIMITED if the turn does not come in time.
 */
export type NonceSpacing = <T>(
  userId: string,
  signal: AbortSignal,
  fetchTicket: () => Promise<T>,
) => Promise<T>;

/**
 * One NONCE ticket per user in two seconds (protocol.md 3 and 8.2, 400504), plus network latency,
 * milliseconds.
 */
const SPACING_MS = 2_050;
/** Usual upper bound of a call's duration, milliseconds; within it, one store command per call is enough. */
const USUAL_MS = 450;
/** Interval between attempts to claim the turn, milliseconds. */
const POLL_MS = 100;
/**
 * Max wait, milliseconds: enough for two calls ahead. More than that is no double tap, and would only grow
 * the queue.
 */
const MAX_WAIT_MS = 5_500;

/**
 * Keeps the vendor's two seconds between NONCE tickets of one user by waiting before the request rather than
 * after a refusal. They count from the vendor's last response, the closest known bound on when it issued the
 * ticket. Different users do not wait for each other.
 */
export function createNonceSpacing({ store, clock }: NonceSpacingOptions): NonceSpacing {
  async function turn(key: string, token: string, signal: AbortSignal): Promise<void> {
    const until = clock.monotonic() + MAX_WAIT_MS;
    while ((await store.claim(key, token, USUAL_MS + SPACING_MS)) !== undefined) {
      if (clock.monotonic() > until) {
        const message = "too many launches for one user id: the vendor gives one in two seconds";
        throw new ServiceError(ErrorReason.RATE_LIMITED, message, { retryAfterMs: SPACING_MS });
      }
      await clock.sleep(POLL_MS, signal);
    }
  }

  /**
   * Retries once, two seconds later, if a process that does not share our store got a ticket for this user.
   */
  async function retryIfTooFrequent<T>(
    fetchTicket: () => Promise<T>,
    key: string,
    token: string,
    signal: AbortSignal,
  ) {
    try {
      return await fetchTicket();
    } catch (error) {
      if (!isTooFrequent(error)) throw error;
      await store.claim(key, token, 2 * SPACING_MS);
      await clock.sleep(SPACING_MS, signal);
      return await fetchTicket();
    }
  }

  return async (userId, signal, fetchTicket) => {
    const key = `nonce\0${userId}`;
    const token = randomToken();
    await turn(key, token, signal);
    const sentAt = clock.monotonic();
    let issued = true;
    try {
      return await retryIfTooFrequent(fetchTicket, key, token, signal);
    } catch (error) {
      issued = signal.aborted || mayHaveIssued(error);
      throw error;
    } finally {
      // Not awaited: the caller need not wait, and if this fails the vendor still rejects a call that comes
      // too soon.
      if (!issued) store.release(key, token).catch(ignore);
      else if (clock.monotonic() - sentAt > USUAL_MS) store.claim(key, token, SPACING_MS).catch(ignore);
    }
  };
}

const ignore = () => undefined;

/** The vendor's code for a second NONCE ticket of one user within two seconds (protocol.md 8.2). */
const isTooFrequent = (error: unknown) => error instanceof UpstreamError && error.entry?.code === "400504";

/** Whether the vendor may have issued a ticket although the call failed. */
function mayHaveIssued(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return !(error instanceof ServiceError);
  const { failure } = error;
  // Too frequent means that another process got one.
  return failure === "code" ? isTooFrequent(error) : failure !== "not_sent";
}
