import { createHash, timingSafeEqual } from "node:crypto";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { ServiceEvents } from "../events.ts";
import { mapReloadable, type Reloadable } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";
import { type AppSignatures, createAppSignatures } from "./app-signature.ts";
import type { Caller, IncomingCall } from "./call.ts";
import type { EndUsersOptions, VerifyEndUser } from "./jwt.ts";

/** Who may call, as configured; read again for each call, since tokens and keys may be replaced. */
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

/** The check of who calls. Which kinds of proof there are is decided once; tokens and keys are those of the moment. */
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

/** Loaded at the start, before the first call, but only where it is configured. */
function loadEndUsers(options: EndUsersOptions): VerifyEndUser {
  const loaded = import("./jwt.ts").then(({ createEndUsers }) => createEndUsers(options));
  return async (token) => (await loaded)(token);
}

/** A bearer token (RFC 6750) and the caller it stands for. Several of one caller are valid at once, for rotation. */
export interface BearerToken {
  caller: string;
  token: Secret;
}

export interface AuthoriseOptions {
  /** Tokens of each listener. They may be replaced while the service runs. */
  tokens: Readonly<Record<IncomingCall["listener"], Reloadable<readonly BearerToken[]>>>;
  /** Checks the tokens of end users, on the public listener. */
  endUsers: VerifyEndUser | undefined;
  /** Checks the signatures of apps, on the form door. */
  appSignatures: AppSignatures | undefined;
  /** Whether end users get photo and video of their own orders. */
  endUserMedia: boolean;
  /** True admits on the public listener callers that should be refused, and only reports them. */
  observeOnly: boolean;
  events: Pick<ServiceEvents, "wouldBeRefused">;
}

/**
 * Finds out who calls. Throws ServiceError UNAUTHENTICATED for callers that cannot say. A promise only where somebody else
 * may have to be asked.
 */
export type Authorise = (call: IncomingCall) => Caller | Promise<Caller>;

/**
 * A configured bearer token makes an internal caller on either listener, and so does a client certificate, which the
 * internal listener has checked. On the public one a JWT makes an end user, and a signature an app; with both, the call is the
 * user's. Whatever is presented must be right: a wrong credential is not made good by another. A listener for which nothing
 * of these is configured admits every caller: on the internal one as internal, on the public one as strangers.
 */
export function createAuthorise(options: AuthoriseOptions): Authorise {
  const { tokens, endUsers, appSignatures, endUserMedia, observeOnly, events } = options;
  const known = {
    public: mapReloadable(tokens.public, (list) => list.map(digested)),
    internal: mapReloadable(tokens.internal, (list) => list.map(digested)),
  };

  function isDemanded({ listener, peer }: IncomingCall): boolean {
    const others = listener === "internal" ? peer.certificateName : (endUsers ?? appSignatures);
    return known[listener]().length > 0 || others !== undefined;
  }

  function byBearer({ listener, credential }: IncomingCall): Caller | Promise<Caller> | undefined {
    if (credential === undefined) return undefined;
    const name = nameByToken(credential, known[listener]());
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
    // The one that may have to wait comes last, so that no promise is left behind when another proof is wrong.
    const signer = bySignature(call);
    const caller =
      byBearer(call) ??
      (call.peer.certificateName === undefined ? signer : internal(call.peer.certificateName));
    if (caller) return caller;
    throw new ServiceError(ErrorReason.UNAUTHENTICATED, "nothing says who the caller is");
  }

  /** Admits a caller that `enforce` would refuse. */
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
    if (!isDemanded(call)) return listener === "internal" ? internal("internal") : stranger("app");
    return observeOnly && listener === "public" ? identifyOrObserve(call) : identify(call);
  };
}

const internal = (name: string): Caller => ({ name, internal: true, subject: "", media: true });
const stranger = (name: string): Caller => ({ name, internal: false, subject: "", media: false });

function nameByToken(credential: string, candidates: readonly Digested[]): string | undefined {
  // JWTs may be the only credentials there are.
  if (candidates.length === 0) return undefined;
  const digest = sha256(credential);
  // Every digest is compared, and each in constant time, so that timing tells nothing.
  const [match] = candidates.filter((candidate) => timingSafeEqual(candidate.digest, digest));
  return match?.caller;
}

type Digested = ReturnType<typeof digested>;

const sha256 = (text: string) => createHash("sha256").update(text).digest();
const digested = ({ caller, token }: BearerToken) => ({ caller, digest: sha256(token.reveal()) });
