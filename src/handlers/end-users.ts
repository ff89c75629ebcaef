import { createRemoteJWKSet, customFetch, errors, type FetchImplementation, jwtVerify } from "jose";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";

export interface EndUsersOptions {
  /** Where the identity provider publishes its keys (RFC 7517). */
  jwksUrl: string;
  /** What `iss` and `aud` of every token must be (RFC 7519). */
  issuer: string;
  audience: string;
  clock: Clock;
  /** Replaced by tests only. */
  fetch?: FetchImplementation;
}

/** The subject of an end user's token. Throws ServiceError UNAUTHENTICATED, or AUTHENTICATION_UNAVAILABLE without keys. */
export type EndUsers = (token: string) => Promise<string>;

/** Signatures that a public key checks. Neither `none` nor any HMAC, whose key would be the public one (RFC 8725 3.1). */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
/** How far the clocks of issuer and service may differ, seconds. */
const TOLERANCE_S = 30;
const RETRY_AFTER_MS = 2_000;

/** Checks JWTs of end users against the keys of their identity provider, which are kept and fetched again when unknown. */
export function createEndUsers({ jwksUrl, issuer, audience, clock, fetch }: EndUsersOptions): EndUsers {
  const keys = createRemoteJWKSet(new URL(jwksUrl), { ...(fetch && { [customFetch]: fetch }) });

  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        requiredClaims: ["sub", "exp"],
        clockTolerance: TOLERANCE_S,
        currentDate: new Date(clock.now()),
      });
      // "" owns what nobody in particular owns, so it must not be anybody's subject.
      if (payload.sub) return payload.sub;
      throw new errors.JWTClaimValidationFailed("empty", payload, "sub");
    } catch (error) {
      throw refusal(error);
    }
  };
}

/** A fault of the token is the caller's; keys that cannot be had are nobody's that calls. */
function refusal(error: unknown): ServiceError {
  const ofToken =
    error instanceof errors.JWTExpired ||
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys;
  // Only the code: the message may quote a claim.
  const { code } = error as { code?: string };
  if (ofToken) return new ServiceError(ErrorReason.UNAUTHENTICATED, `the token is not valid: ${code}`);
  return new ServiceError(ErrorReason.AUTHENTICATION_UNAVAILABLE, `no keys to check tokens with: ${code}`, {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
