import { randomToken } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";
import { type SharedWork, shareWork } from "../lib/concurrency.ts";
import type { LaunchStore } from "./store.ts";

export interface JointWorkOptions<T> {
  store: Pick<LaunchStore, "shared" | "claim" | "release" | "keep" | "outcome">;
  clock: Clock;
  /** The result as text, which the store seals. */
  write: (result: T) => string;
  read: (text: string) => T;
  /** How long a result is kept for those who follow, milliseconds. */
  lifeMs: (result: T) => number;
  /** How long after its end a piece of work is still joined, milliseconds; 0 by default. */
  lingerMs?: number;
}

/** Work that overlapping calls do together, in this process or, through the store, in several. */
export interface JointWork<T> {
  /** Does the work of `key`, or joins whoever is doing it. Rejects as `work` does, or with the signal's reason. */
  join(
    key: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
    token?: string,
  ): Promise<T>;
  /**
   * Waits for the work that `owner` is doing under `key`; undefined once the key is `claim`'s, because the owner failed.
   */
  follow(key: string, owner: string, claim: string, signal: AbortSignal): Promise<T | undefined>;
}

/** Claim TTL, milliseconds: longer than any launch takes, so an expired claim means its owner died. */
export const FLIGHT_MS = 20_000;
/** Interval between polls for work that another replica is doing, milliseconds. */
const POLL_MS = 100;

/** Failed work is not shared with later calls: the next one starts it again. */
export function createJointWork<T>(options: JointWorkOptions<T>): JointWork<T> {
  const { store, clock, write, read, lifeMs, lingerMs = 0 } = options;
  const flights = new Map<string, SharedWork<T>>();

  function lead(key: string, token: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) {
    const flight = shareWork(async (joint) => {
      let kept: Promise<unknown> | undefined;
      let freed: (() => Promise<unknown>) | undefined;
      try {
        const result = await work(joint);
        // Followers in this process have the promise, while it lasts.
        if (store.shared || lingerMs > 0) kept = store.keep(token, write(result), lifeMs(result));
        if (lingerMs > 0) freed = () => store.claim(key, token, lingerMs);
        return result;
      } finally {
        flights.delete(token);
        // Sent together, in this order: the caller waits for one round trip.
        await Promise.all([kept, freed?.() ?? store.release(key, token)]);
      }
    });
    flights.set(token, flight);
    return flight.join(signal);
  }

  async function follow(key: string, owner: string, claim: string, signal: AbortSignal) {
    for (let other: string | undefined = owner; other !== undefined; ) {
      const [token = ""] = other.split(".");
      const flight = flights.get(token);
      if (flight) return flight.join(signal);
      const outcome = await store.outcome(token);
      if (outcome !== undefined) return read(outcome);
      await clock.sleep(POLL_MS, signal);
      const next = await store.claim(key, claim, FLIGHT_MS);
      // It may have finished between the poll and the claim.
      const finished = next === undefined ? await store.outcome(token) : undefined;
      if (finished !== undefined) {
        await store.release(key, claim);
        return read(finished);
      }
      other = next;
    }
    return undefined;
  }

  return {
    follow,
    async join(key, signal, work, token = randomToken()) {
      const owner = await store.claim(key, token, FLIGHT_MS);
      const shared = owner === undefined ? undefined : await follow(key, owner, token, signal);
      return shared ?? lead(key, token, signal, work);
    },
  };
}
