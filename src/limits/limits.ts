import { createPseudonym } from "../domain/pseudonym.ts";
import type { Rate } from "../domain/rate.ts";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { Caller, IncomingCall } from "../handlers/call.ts";
import { networkOf, type Peer } from "../lib/peer.ts";
import type { Secret } from "../lib/secret.ts";
import { createLimiter, type LimiterOptions, type SharedCounts } from "./limiter.ts";

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
  call(call: IncomingCall, caller: Caller): Promise<void>;
  /** For every launch that the vendor will see; `person` is a pseudonym. */
  launch(person: string): Promise<void>;
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
      if (perCaller.length > 0) refuse(await callers(keyOf(caller, peer)), "caller");
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
