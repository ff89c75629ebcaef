import { createHash, timingSafeEqual } from "node:crypto";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { Secret } from "../lib/secret.ts";
import type { Caller, IncomingCall } from "./call.ts";

/** A bearer token and the caller it stands for. */
export interface BearerToken {
  caller: string;
  token: Secret;
}

export interface AuthoriseOptions {
  /** Tokens of each listener; a listener without any admits everybody. */
  tokens: Readonly<Record<IncomingCall["listener"], readonly BearerToken[]>>;
}

/**
 * Who calls. A configured bearer token makes an internal caller on either listener. On a listener without tokens, those
 * of the internal one are internal callers too, and those of the public one are strangers.
 */
export function createAuthorise({ tokens }: AuthoriseOptions): (call: IncomingCall) => Caller {
  const digests = {
    public: tokens.public.map(digested),
    internal: tokens.internal.map(digested),
  };
  return ({ listener, credential }) => {
    const known = digests[listener];
    if (known.length === 0) {
      return {
        name: listener === "internal" ? "internal" : "app",
        internal: listener === "internal",
        subject: "",
      };
    }
    if (credential === undefined) {
      throw new ServiceError(ErrorReason.UNAUTHENTICATED, "no bearer token was presented");
    }
    const digest = sha256(credential);
    // Every digest is compared, and each in constant time, so that timing tells nothing.
    const matches = known.filter((candidate) => timingSafeEqual(candidate.digest, digest));
    const [match] = matches;
    if (!match) throw new ServiceError(ErrorReason.UNAUTHENTICATED, "the bearer token is not a known one");
    return { name: match.caller, internal: true, subject: "" };
  };
}

const sha256 = (text: string) => createHash("sha256").update(text).digest();
const digested = ({ caller, token }: BearerToken) => ({ caller, digest: sha256(token.reveal()) });
