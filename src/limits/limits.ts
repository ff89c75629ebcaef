import { createPseudonym } from "../domain/pseudonym.ts";
import type { Rate } from "../domain/rate.ts";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { Caller, IncomingCall } from "../handlers/call.ts";
import type { Secret } from "../lib/secret.ts";
import { createLimiter, type SharedCounts } from "./limiter.ts";

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
}

/** The service's own limits, which the vendor asks for (protocol.md 10.1). Each throws ServiceError RATE_LIMITED. */
export interface Limits {
  /** For every call: by caller, and on the public door by address. An end user is a caller of its own. */
  call(call: IncomingCall, caller: Caller): Promise<void>;
  /** For every launch that the vendor will see; `person` is a pseudonym. */
  launch(person: string): Promise<void>;
}

export function createLimits({ perCaller, perIp, perPerson, prefix, shared, secret }: LimitsOptions): Limits {
  const limiter = (what: string, rates: readonly Rate[]) =>
    createLimiter({ prefix: `${prefix}:${what}`, rates, shared });
  const callers = limiter("caller", perCaller);
  const addresses = limiter("address", perIp);
  const people = limiter("person", perPerson);
  const pseudonym = createPseudonym(secret, "limits");

  return {
    async call({ listener, peer }, { name, subject }) {
      const caller = subject === "" ? name : `${name}:${pseudonym(subject)}`;
      refuse(await callers(caller), "caller");
      // A peer on this machine is a proxy, and stands for everybody.
      if (perIp.length > 0 && listener === "public" && !isLoopback(peer)) {
        refuse(await addresses(pseudonym(peer)), "address");
      }
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

const isLoopback = (peer: string) => peer === "::1" || /^(::ffff:)?127\./.test(peer);
