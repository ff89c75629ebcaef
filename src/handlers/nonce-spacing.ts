import { ErrorReason, ServiceError, UpstreamError } from "../errors.ts";
import type { LaunchStore } from "../launches/store.ts";
import { randomBase62 } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";

export interface NonceSpacingOptions {
  /** Shared by all replicas where there is a Redis, else of this process. */
  store: Pick<LaunchStore, "claim" | "release" | "shared">;
  /** Hides user ids in the keys of a store that others see. */
  pseudonym: (text: string) => string;
  clock: Clock;
}

/** Runs `ask`, which asks for a NONCE ticket of this user, once it may; rejects as `ask` does, or with the signal's reason. */
export type NonceSpacing = <T>(userId: string, signal: AbortSignal, ask: () => Promise<T>) => Promise<T>;

/** One NONCE ticket in two seconds for each user (protocol.md 3 and 8.2, 400504), and a little for the way, milliseconds. */
const SPACING_MS = 2_050;
/** How long a call usually takes at most: then one command to the store is enough for it, milliseconds. */
const USUAL_MS = 450;
/** How often it is looked whether the time is over, milliseconds. */
const LOOK_MS = 100;
/** Two before one: more for one user is no person who taps twice, and waiting would only make the queue longer, milliseconds. */
const LONGEST_WAIT_MS = 5_500;

/**
 * Keeps the vendor's two seconds between the NONCE tickets of one user, by waiting before it is asked and not after it has
 * refused. They count from its last answer, since when it made the ticket is not known more exactly. Other users wait for
 * nothing.
 */
export function createNonceSpacing({ store, pseudonym, clock }: NonceSpacingOptions): NonceSpacing {
  async function turn(key: string, token: string, signal: AbortSignal): Promise<void> {
    const until = clock.monotonic() + LONGEST_WAIT_MS;
    while ((await store.claim(key, token, USUAL_MS + SPACING_MS)) !== undefined) {
      if (clock.monotonic() > until) {
        const message = "too many launches for one user id: the vendor gives one in two seconds";
        throw new ServiceError(ErrorReason.RATE_LIMITED, message, { retryAfterMs: SPACING_MS });
      }
      await clock.sleep(LOOK_MS, signal);
    }
  }

  /** Somebody who does not share our store has asked for this user: their two seconds are waited out, once. */
  async function patiently<T>(ask: () => Promise<T>, key: string, token: string, signal: AbortSignal) {
    try {
      return await ask();
    } catch (error) {
      if (!isTooFrequent(error)) throw error;
      await store.claim(key, token, 2 * SPACING_MS);
      await clock.sleep(SPACING_MS, signal);
      return await ask();
    }
  }

  return async (userId, signal, ask) => {
    const name = `nonce\0${userId}`;
    const key = store.shared ? pseudonym(name) : name;
    const token = randomBase62(20);
    await turn(key, token, signal);
    const askedAt = clock.monotonic();
    let issued = true;
    try {
      return await patiently(ask, key, token, signal);
    } catch (error) {
      issued = signal.aborted || mayHaveIssued(error);
      throw error;
    } finally {
      // The caller need not wait for it, and without it the vendor says when it is too soon.
      if (!issued) store.release(key, token).catch(ignore);
      else if (clock.monotonic() - askedAt > USUAL_MS) store.claim(key, token, SPACING_MS).catch(ignore);
    }
  };
}

const ignore = () => undefined;

/** The vendor's word for a second NONCE ticket of one user within two seconds (protocol.md 8.2). */
const isTooFrequent = (error: unknown) => error instanceof UpstreamError && error.entry?.code === "400504";

/** Whether there may be a ticket although the call failed. */
function mayHaveIssued(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return !(error instanceof ServiceError);
  const { failure } = error;
  // Too frequent: then somebody else has got one.
  return failure === "code" ? isTooFrequent(error) : failure !== "not_sent";
}
