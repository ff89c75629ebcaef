import { createHash, timingSafeEqual } from "node:crypto";
import { ErrorReason, ServiceError } from "../errors.ts";
import { derived } from "../lib/derived.ts";
import type { Secret } from "../lib/secret.ts";
import type { AppSignatures } from "./app-signature.ts";
import type { Caller, IncomingCall } from "./call.ts";
import type { EndUsers } from "./end-users.ts";

/** A bearer token (RFC 6750) and the caller it stands for. Several of one caller are valid at once, for rotation. */
export interface BearerToken {
  caller: string;
  token: Secret;
}

export interface AuthoriseOptions {
  /** Tokens of each listener. They may be replaced while the service runs. */
  tokens: Readonly<Record<IncomingCall["listener"], () => readonly BearerToken[]>>;
  /** Checks the tokens of end users, on the public listener. */
  endUsers: EndUsers | undefined;
  /** Checks the signatures of apps, on the form door. */
  appSignatures: AppSignatures | undefined;
  /** True lets in on the public listener who should be refused, and only tells. */
  observeOnly: boolean;
  events: { wouldBeRefused(refused: { door: string; rule: string; requestId: string }): void };
}

/** Finds out who calls. Throws ServiceError UNAUTHENTICATED for those who cannot say. */
export type Authorise = (call: IncomingCall) => Caller | Promise<Caller>;

/**
 * A configured bearer token makes an internal caller on either listener, and so does a client certificate, which the
 * internal listener has checked. On the public one a JWT makes an end user, and a signature an app. A listener for which
 * nothing of these is configured admits everybody: on the internal one as internal callers, on the public one as strangers.
 */
export function createAuthorise(options: AuthoriseOptions): Authorise {
  const { tokens, endUsers, appSignatures, observeOnly, events } = options;
  const known = {
    public: derived(tokens.public, (list) => list.map(digested)),
    internal: derived(tokens.internal, (list) => list.map(digested)),
  };

  function byToken({ listener, credential }: IncomingCall): Caller | undefined {
    const candidates = known[listener]();
    if (credential === undefined || candidates.length === 0) return undefined;
    const digest = sha256(credential);
    // Every digest is compared, and each in constant time, so that timing tells nothing.
    const [match] = candidates.filter((candidate) => timingSafeEqual(candidate.digest, digest));
    return match && { name: match.caller, internal: true, subject: "" };
  }

  function byCertificate({ certificate, credential }: IncomingCall): Caller | undefined {
    if (certificate === undefined || credential !== undefined) return undefined;
    return { name: certificate, internal: true, subject: "" };
  }

  function bySignature({ appSignature }: IncomingCall): Caller | undefined {
    const app = appSignature && appSignatures?.(appSignature);
    return app === undefined ? undefined : { name: app, internal: false, subject: "" };
  }

  /** Whoever could not say who it is: let in where nobody has to, else refused. */
  function unknown({ listener, door, requestId, credential }: IncomingCall): Caller {
    const internal = listener === "internal";
    const stranger = { name: internal ? "internal" : "app", internal, subject: "" };
    const demanded = known[listener]().length > 0 || (!internal && (endUsers ?? appSignatures) !== undefined);
    if (!demanded) return stranger;
    if (!internal && observeOnly) {
      events.wouldBeRefused({ door, rule: "authentication", requestId });
      return stranger;
    }
    const why =
      credential === undefined ? "nothing says who the caller is" : "the bearer token is not a known one";
    throw new ServiceError(ErrorReason.UNAUTHENTICATED, why);
  }

  async function asUser(users: EndUsers, call: IncomingCall, credential: string): Promise<Caller> {
    try {
      return { name: "user", internal: false, subject: await users(credential) };
    } catch (error) {
      if (!observeOnly) throw error;
      return unknown(call);
    }
  }

  return (call) => {
    const caller = byToken(call) ?? byCertificate(call) ?? bySignature(call);
    if (caller) return caller;
    const { listener, credential } = call;
    if (listener === "public" && endUsers && credential !== undefined)
      return asUser(endUsers, call, credential);
    return unknown(call);
  };
}

const sha256 = (text: string) => createHash("sha256").update(text).digest();
const digested = ({ caller, token }: BearerToken) => ({ caller, digest: sha256(token.reveal()) });
