import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from "rate-limiter-flexible";
import type { Rate } from "../domain/rate.ts";

/** Where counts are shared; the one command that is needed. */
export interface SharedCounts {
  send(key: string, command: string[]): Promise<unknown>;
}

export interface LimiterOptions {
  /** Begins every shared key, such as `faceid:{app@host}:limit:person`. */
  prefix: string;
  /** All of them hold at once; none: nothing is limited. */
  rates: readonly Rate[];
  /** Undefined counts in this process alone, and so does trouble with the shared counts: a limit is no reason to fail. */
  shared: SharedCounts | undefined;
  events: {
    /** One count in the shared store; a failed one was made in this process. */
    limitStoreAsked(asked: { ok: boolean; error?: unknown }): void;
  };
}

/** Counts one use of `key` (which must not be personal) against the rates. Resolves to how long to wait, milliseconds; 0 to go on. */
export type Limiter = (key: string) => Promise<number> | 0;

export function createLimiter(options: LimiterOptions): Limiter {
  const limiters = options.rates.map((rate) => limiterOf(rate, options));
  if (limiters.length === 0) return () => 0;
  return async (key) => {
    const waits = await Promise.all(limiters.map((limiter) => consume(limiter, key)));
    return Math.max(...waits);
  };
}

function limiterOf({ count, perMs }: Rate, { prefix, shared, events }: LimiterOptions): RateLimiterAbstract {
  const options = {
    points: count,
    duration: perMs / 1000,
    keyPrefix: `${prefix}:${perMs / 1000}`,
    // A key that is refused is refused in memory until its window ends, so that a flood does not become one of Redis.
    inMemoryBlockOnConsumed: count + 1,
  };
  const own = new RateLimiterMemory(options);
  if (!shared) return own;
  const storeClient = {
    async eval(script: string, call: { keys: [string]; arguments: string[] }) {
      try {
        const counted = await shared.send(call.keys[0], [
          "EVAL",
          script,
          "1",
          ...call.keys,
          ...call.arguments,
        ]);
        events.limitStoreAsked({ ok: true });
        return counted;
      } catch (error) {
        events.limitStoreAsked({ ok: false, error });
        throw error;
      }
    },
  };
  return new RateLimiterRedis({ ...options, storeClient, useRedisPackage: true, insuranceLimiter: own });
}

async function consume(limiter: RateLimiterAbstract, key: string): Promise<number> {
  try {
    await limiter.consume(key);
    return 0;
  } catch (refused) {
    if (refused instanceof RateLimiterRes) return Math.max(1, refused.msBeforeNext);
    throw refused;
  }
}
