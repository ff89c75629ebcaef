import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
} from "rate-limiter-flexible";
import type { Rate } from "../config/rates.ts";
import type { Statements, Value } from "../database/database.ts";
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
  /** Prefix of every shared key, such as `faceid:{app@host}:limit`. */
  prefix: string;
  /** Undefined: counts in this process only. */
  shared: SharedCounts | undefined;
  /** Key of the pseudonyms that stand for addresses and people in the keys. */
  secret: Secret;
  events: LimiterOptions["events"];
}

/**
 * The service's own limits, which the vendor requires (protocol.md 10.1). Each throws ServiceError
 * RATE_LIMITED.
 */
export interface Limits {
  /** Applied to every request on the public listener, before its body is read; undefined if unlimited. */
  address: ((peer: Peer) => Promise<void>) | undefined;
  /**
   * Applied to every call, by caller. Each end user counts separately, and so does each address of callers
   * without a login.
   */
  call: (call: IncomingCall, caller: Caller) => Promise<void>;
  /** Applied to every launch sent to the vendor; `person` is a pseudonym. */
  launch: (person: string) => Promise<void>;
}

export function createLimits(options: LimitsOptions): Limits {
  const { perCaller, perIp, perPerson, prefix, shared, secret, events } = options;
  const limiter = (scope: string, rates: readonly Rate[]) =>
    createLimiter({ prefix: `${prefix}:${scope}`, rates, shared, events });
  const callers = limiter("caller", perCaller);
  const addresses = limiter("address", perIp);
  const people = limiter("person", perPerson);
  const pseudonym = createPseudonym(secret, "limits");

  /**
   * A name shared by many, such as an app's, is also counted by address, so that one client cannot exhaust it
   * for all.
   */
  function keyOf({ name, internal, subject }: Caller, peer: string): string {
    if (internal) return name;
    return `${name}:${pseudonym(subject === "" ? networkOf(peer) : subject)}`;
  }

  return {
    address:
      perIp.length === 0
        ? undefined
        : async ({ address, local }) => {
            // A peer on this machine is a proxy that carries all clients.
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

function refuse(waitMs: number, scope: string): void {
  if (waitMs === 0) return;
  throw new ServiceError(ErrorReason.RATE_LIMITED, `too many calls of one ${scope}`, {
    retryAfterMs: waitMs,
    metadata: { limit: scope },
  });
}

/** The shared store of counts, reduced to what is needed. */
export type SharedCounts =
  | { kind: "redis"; send(key: string, command: string[]): Promise<unknown> }
  | ({ kind: "postgres" } & Pick<Statements, "all">);

export interface LimiterOptions {
  /** Prefix of every shared key, such as `faceid:{app@host}:limit:person`. */
  prefix: string;
  /** All apply at once; an empty list means unlimited. */
  rates: readonly Rate[];
  /**
   * Undefined: counts in this process only; also the fallback if the shared store fails, since a limit must
   * not fail calls.
   */
  shared: SharedCounts | undefined;
  events: Pick<ServiceEvents, "limitStoreAsked">;
}

/**
 * Counts one use of `key` (which must not be personal). Resolves to the time to wait, milliseconds; 0 if
 * within the rates.
 */
export type Limiter = (key: string) => Promise<number> | 0;

function createLimiter(options: LimiterOptions): Limiter {
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
    // A rejected key stays rejected in memory until its window ends, so that a flood of calls does not flood
    // the store.
    inMemoryBlockOnConsumed: count + 1,
  };
  const fallback = new RateLimiterMemory(options);
  if (!shared) return fallback;
  async function reported<T>(asked: Promise<T>): Promise<T> {
    try {
      const counted = await asked;
      events.limitStoreAsked({ ok: true });
      return counted;
    } catch (error) {
      events.limitStoreAsked({ ok: false, error });
      throw error;
    }
  }
  if (shared.kind === "postgres") {
    const storeClient = {
      query: async ({ text, values }: { text: string; values: Value[] }) => ({
        rows: await reported(shared.all(text, values)),
      }),
    };
    const table = { storeType: "client", tableName: "faceid_limits", tableCreated: true };
    return new RateLimiterPostgres({
      ...options,
      ...table,
      storeClient,
      // The tables' owner does.
      clearExpiredByTimeout: false,
      insuranceLimiter: fallback,
    });
  }
  const storeClient = {
    eval: (script: string, { keys, arguments: more }: { keys: [string]; arguments: string[] }) =>
      reported(shared.send(keys[0], ["EVAL", script, "1", ...keys, ...more])),
  };
  return new RateLimiterRedis({ ...options, storeClient, useRedisPackage: true, insuranceLimiter: fallback });
}

async function consume(limiter: RateLimiterAbstract, key: string): Promise<number> {
  try {
    await limiter.consume(key);
    return 0;
  } catch (rejection) {
    if (rejection instanceof RateLimiterRes) return Math.max(1, rejection.msBeforeNext);
    throw rejection;
  }
}
