import { createHash, timingSafeEqual } from "node:crypto";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { ServiceEvents } from "../events.ts";
import { mapReloadable, type Reloadable } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";
import { type AppSignatures, createAppSignatures } from "./app-signature.ts";
import type { Caller, IncomingCall } from "./call.ts";
import type { EndUsersOptions, VerifyEndUser } from "./jwt.ts";

/** Access configuration; read on every call, since tokens and keys may be reloaded. */
export interface AccessRules {
  httpTokens: readonly BearerToken[];
  grpcTokens: readonly BearerToken[];
  httpAuthObserved: boolean;
  jwt: { jwksUrl: string; issuer: string; audience: string } | undefined;
  endUserMedia: boolean;
  formKeys: readonly BearerToken[];
}

export interface AccessOptions extends Pick<EndUsersOptions, "clock" | "places"> {
  events: AuthoriseOptions["events"] & EndUsersOptions["events"];
}

/** Builds the authenticator. Credential kinds are fixed at start; tokens and keys may be reloaded. */
export function createAuthorisation(
  access: Reloadable<AccessRules>,
  { clock, places, events }: AccessOptions,
): Authorise {
  const { jwt, formKeys, httpAuthObserved, endUserMedia } = access();
  return createAuthorise({
    tokens: { public: () => access().httpTokens, internal: () => access().grpcTokens },
    endUsers: jwt && loadEndUsers({ ...jwt, clock, places, events }),
    endUserMedia,
    appSignatures: formKeys.length > 0 ? createAppSignatures(() => access().formKeys, clock) : undefined,
    observeOnly: httpAuthObserved,
    events,
  });
}

/**
 * Starts loading the JWT library, only if JWTs are configured.
 * perf: docs/performance.md#lazy-imports
 */
function loadEndUsers(options: EndUsersOptions): VerifyEndUser {
  const loaded = import("./jwt.ts").then(({ createEndUsers }) => createEndUsers(options));
  return async (token) => (await loaded)(token);
}

/** A bearer token (RFC 6750) and its caller. A caller may have several valid tokens at once, for rotation. */
export interface BearerToken {
  caller: string;
  token: Secret;
}

export interface AuthoriseOptions {
  /** Tokens per listener; may be reloaded while the service runs. */
  tokens: Readonly<Record<IncomingCall["listener"], Reloadable<readonly BearerToken[]>>>;
  /** Verifies end users' tokens, on the public listener. */
  endUsers: VerifyEndUser | undefined;
  /** Verifies apps' signatures, on the form door. */
  appSignatures: AppSignatures | undefined;
  /** Whether end users may read photo and video of their own orders. */
  endUserMedia: boolean;
  /** Report-only mode: admits, on the public listener, callers that would be refused. */
  observeOnly: boolean;
  events: Pick<ServiceEvents, "wouldBeRefused">;
}

/**
 * Authenticates the caller. Throws ServiceError UNAUTHENTICATED. Returns a promise only if verification may
 * need the network.
 */
export type Authorise = (call: IncomingCall) => Caller | Promise<Caller>;

/**
 * A configured bearer token identifies an internal caller on either listener, and so does a client
 * certificate, which the internal listener has verified. On the public listener a JWT identifies an end user
 * and a signature an app; with both, the call is the user's. Every credential presented must be valid: a
 * valid one does not excuse an invalid one. A listener with none of these configured admits every caller: the
 * internal listener as internal, the public one as strangers.
 */
function createAuthorise(options: AuthoriseOptions): Authorise {
  const { tokens, endUsers, appSignatures, endUserMedia, observeOnly, events } = options;
  const digests = {
    public: mapReloadable(tokens.public, (list) => list.map(digested)),
    internal: mapReloadable(tokens.internal, (list) => list.map(digested)),
  };

  function requiresCredential({ listener, peer }: IncomingCall): boolean {
    const alternative = listener === "internal" ? peer.certificateName : (endUsers ?? appSignatures);
    return digests[listener]().length > 0 || alternative !== undefined;
  }

  function byBearer({ listener, credential }: IncomingCall): Caller | Promise<Caller> | undefined {
    if (credential === undefined) return undefined;
    const name = nameByToken(credential, digests[listener]());
    if (name !== undefined) return internal(name);
    if (listener === "public" && endUsers && credential !== "") return asUser(endUsers(credential));
    throw new ServiceError(ErrorReason.UNAUTHENTICATED, "the bearer token is not a known one");
  }

  async function asUser(subject: Promise<string>): Promise<Caller> {
    return { name: "user", internal: false, subject: await subject, media: endUserMedia };
  }

  function bySignature({ appSignature }: IncomingCall): Caller | undefined {
    if (!appSignature || !appSignatures) return undefined;
    const app = appSignatures(appSignature);
    if (app === undefined) {
      throw new ServiceError(ErrorReason.UNAUTHENTICATED, "the signature is not one of a known key");
    }
    return stranger(app);
  }

  function identify(call: IncomingCall): Caller | Promise<Caller> {
    // The asynchronous check comes last, so that no promise is left unhandled when another credential is
    // invalid.
    const signer = bySignature(call);
    const caller =
      byBearer(call) ??
      (call.peer.certificateName === undefined ? signer : internal(call.peer.certificateName));
    if (caller) return caller;
    throw new ServiceError(ErrorReason.UNAUTHENTICATED, "nothing says who the caller is");
  }

  /** Reports and admits a caller that would be refused. */
  function observed({ door, requestId }: IncomingCall): Caller {
    events.wouldBeRefused({ door, rule: "authentication", requestId });
    return stranger("app");
  }

  function identifyOrObserve(call: IncomingCall): Caller | Promise<Caller> {
    try {
      const caller = identify(call);
      return caller instanceof Promise ? caller.catch(() => observed(call)) : caller;
    } catch {
      return observed(call);
    }
  }

  return (call) => {
    const { listener } = call;
    if (!requiresCredential(call)) return listener === "internal" ? internal("internal") : stranger("app");
    return observeOnly && listener === "public" ? identifyOrObserve(call) : identify(call);
  };
}

const internal = (name: string): Caller => ({ name, internal: true, subject: "", media: true });
const stranger = (name: string): Caller => ({ name, internal: false, subject: "", media: false });

function nameByToken(credential: string, candidates: readonly Digested[]): string | undefined {
  // JWTs may be the only credentials configured.
  if (candidates.length === 0) return undefined;
  const digest = sha256(credential);
  // Every digest is compared, each in constant time, so that timing leaks nothing.
  const [match] = candidates.filter((candidate) => timingSafeEqual(candidate.digest, digest));
  return match?.caller;
}

type Digested = ReturnType<typeof digested>;

const sha256 = (text: string) => createHash("sha256").update(text).digest();
const digested = ({ caller, token }: BearerToken) => ({ caller, digest: sha256(token.reveal()) });
