import { createRemoteJWKSet, customFetch, errors, type FetchImplementation, jwtVerify } from "jose";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";
import { createAdmission } from "./admission.ts";

export interface EndUsersOptions {
  /** The identity provider's JWKS endpoint (RFC 7517). */
  jwksUrl: string;
  /** Required `iss` and `aud` of every token (RFC 7519). */
  issuer: string;
  audience: string;
  /** Max tokens verified at once, so that calls do not pile up behind a slow JWKS endpoint. */
  places: number;
  clock: Clock;
  events: Pick<ServiceEvents, "keysFetched">;
  /** Overridden by tests only. */
  fetch?: FetchImplementation;
}

/**
 * Resolves to the subject of an end user's token. Throws ServiceError UNAUTHENTICATED, or
 * AUTHENTICATION_UNAVAILABLE if there are no keys to verify it with.
 */
export type VerifyEndUser = (token: string) => Promise<string>;

/**
 * Asymmetric algorithms only: neither `none` nor any HMAC, whose key would be the public one (RFC 8725 3.1).
 */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
/** Maximum clock skew between issuer and service, seconds. */
const TOLERANCE_S = 30;
const RETRY_AFTER_MS = 2_000;
/**
 * Age at which cached keys are refetched, and maximum age at which they are still used if that fails,
 * milliseconds.
 */
const REFETCH_MS = 10 * 60_000;
const STALE_MS = 60 * 60_000;
const FETCH_TIMEOUT_MS = 5_000;

/**
 * Verifies end users' JWTs with the identity provider's keys, which are cached and refetched for an unknown
 * key id.
 */
export function createEndUsers(options: EndUsersOptions): VerifyEndUser {
  const { jwksUrl, issuer, audience, places, clock } = options;
  const verifications = createAdmission(places);
  let fetchedAt = clock.monotonic();
  const keys = createRemoteJWKSet(new URL(jwksUrl), {
    cacheMaxAge: STALE_MS,
    timeoutDuration: FETCH_TIMEOUT_MS,
    [customFetch]: fetchWithCooldown(options, () => {
      fetchedAt = clock.monotonic();
    }),
  });
  const refetch = () => void keys.reload().catch(() => undefined);
  // Prefetch, so that the first callers do not wait.
  refetch();

  async function subjectOf(token: string): Promise<string> {
    if (clock.monotonic() - fetchedAt > REFETCH_MS && !keys.reloading) refetch();
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      requiredClaims: ["sub", "exp"],
      clockTolerance: TOLERANCE_S,
      currentDate: new Date(clock.now()),
    });
    const { sub } = payload as { sub: unknown };
    // "" is the owner of ownerless orders, so it must not be a subject. RFC 7519 4.1.2: a string.
    if (typeof sub === "string" && sub !== "") return sub;
    throw new errors.JWTClaimValidationFailed("no text", payload, "sub");
  }

  return async (token) => {
    if (!verifications.enter()) throw unavailable("too many tokens are being checked");
    try {
      return await subjectOf(token);
    } catch (error) {
      throw refusal(error);
    } finally {
      verifications.leave();
    }
  };
}

/**
 * `fetch` for the keys with a cooldown after any failure: otherwise every call with a garbage token would
 * send a request to a failing provider.
 */
function fetchWithCooldown(
  { clock, events, fetch: fetchKeys = fetch }: EndUsersOptions,
  onFetched: () => void,
): FetchImplementation {
  let failedAt = Number.NEGATIVE_INFINITY;
  return async (url, init) => {
    if (clock.monotonic() - failedAt < RETRY_AFTER_MS)
      throw new Error("the keys could not be fetched a moment ago");
    try {
      const response = await fetchKeys(url, init);
      if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
      const body = await response.text();
      const { keys } = JSON.parse(body) as { keys?: unknown };
      if (!Array.isArray(keys)) throw new Error("not a JWK set");
      onFetched();
      events.keysFetched({ ok: true });
      return new Response(body);
    } catch (error) {
      failedAt = clock.monotonic();
      events.keysFetched({ ok: false, error });
      throw error;
    }
  };
}

/** A bad token is the caller's fault; an unreachable JWKS is not. */
function refusal(error: unknown): ServiceError {
  const isTokenFault =
    error instanceof errors.JWTExpired ||
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys;
  // The code only: the message may quote a claim.
  const { code } = error as { code?: string };
  if (isTokenFault) return new ServiceError(ErrorReason.UNAUTHENTICATED, `the token is not valid: ${code}`);
  return unavailable(`no keys to check tokens with: ${code}`);
}

const unavailable = (why: string) =>
  new ServiceError(ErrorReason.AUTHENTICATION_UNAVAILABLE, why, { retryAfterMs: RETRY_AFTER_MS });
