import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from "rate-limiter-flexible";
import type { Rate } from "../config/rates.ts";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { ServiceEvents } from "../events.ts";
import { createPseudonym } from "../lib/keyed-hash.ts";
import { networkOf, type Peer } from "../lib/peer.ts";
import type { Secret } from "../lib/redacted.ts";
import type { Caller, IncomingCall } from "./call.ts";

export interface LimitsOptions {
  perCaller: readonly Rate[];
  perIp: readonly Rate[];
  perPerson: readonly Rate[];
  /** Begins every shared key, such as `faceid:{app@host}:limit`. */
  prefix: string;
  /** Undefined counts in this process alone. */
  shared: SharedCounts | undefined;
  /** Hides addresses and people in the keys. */
  secret: Secret;
  events: LimiterOptions["events"];
}

/** The service's own limits, which the vendor asks for (protocol.md 10.1). Each throws ServiceError RATE_LIMITED. */
export interface Limits {
  /** For every request on the public listener, before anything of it is read; undefined where nothing is limited. */
  address: ((peer: Peer) => Promise<void>) | undefined;
  /** For every call: by caller. An end user is a caller of its own, and so is each address of those without a login. */
  call: (call: IncomingCall, caller: Caller) => Promise<void>;
  /** For every launch that the vendor will see; `person` is a pseudonym. */
  launch: (person: string) => Promise<void>;
}

export function createLimits(options: LimitsOptions): Limits {
  const { perCaller, perIp, perPerson, prefix, shared, secret, events } = options;
  const limiter = (what: string, rates: readonly Rate[]) =>
    createLimiter({ prefix: `${prefix}:${what}`, rates, shared, events });
  const callers = limiter("caller", perCaller);
  const addresses = limiter("address", perIp);
  const people = limiter("person", perPerson);
  const pseudonym = createPseudonym(secret, "limits");

  /** A name that many share, such as an app's, is counted by address too: one of them must not use it up for all. */
  function keyOf({ name, internal, subject }: Caller, peer: string): string {
    if (internal) return name;
    return `${name}:${pseudonym(subject === "" ? networkOf(peer) : subject)}`;
  }

  return {
    address:
      perIp.length === 0
        ? undefined
        : async ({ address, local }) => {
            // A peer on this machine is a proxy, and stands for everybody.
            if (!local) refuse(await addresses(pseudonym(networkOf(address))), "address");
          },
    async call({ peer }, caller) {
      if (perCaller.length > 0) refuse(await callers(keyOf(caller, peer.address)), "caller");
    },
    async launch(person) {
      refuse(await people(person), "person");
    },
  };
}

function refuse(waitMs: number, what: string): void {
  if (waitMs === 0) return;
  throw new ServiceError(ErrorReason.RATE_LIMITED, `too many calls of one ${what}`, {
    retryAfterMs: waitMs,
    metadata: { limit: what },
  });
}

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
  events: Pick<ServiceEvents, "limitStoreAsked">;
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
