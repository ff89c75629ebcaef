import { createRemoteJWKSet, customFetch, errors, type FetchImplementation, jwtVerify } from "jose";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";
import { createAdmission } from "./admission.ts";

export interface EndUsersOptions {
  /** Where the identity provider publishes its keys (RFC 7517). */
  jwksUrl: string;
  /** What `iss` and `aud` of every token must be (RFC 7519). */
  issuer: string;
  audience: string;
  /** Most tokens that may be checked at once; keys that are slow to come must not pile up calls. */
  places: number;
  clock: Clock;
  events: Pick<ServiceEvents, "keysFetched">;
  /** Replaced by tests only. */
  fetch?: FetchImplementation;
}

/** The subject of an end user's token. Throws ServiceError UNAUTHENTICATED, or AUTHENTICATION_UNAVAILABLE without keys. */
export type VerifyEndUser = (token: string) => Promise<string>;

/** Signatures that a public key checks. Neither `none` nor any HMAC, whose key would be the public one (RFC 8725 3.1). */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
/** How far the clocks of issuer and service may differ, seconds. */
const TOLERANCE_S = 30;
const RETRY_AFTER_MS = 2_000;
/** How old keys are when they are fetched again, and until when they are used if that fails, milliseconds. */
const REFETCH_MS = 10 * 60_000;
const STALE_MS = 60 * 60_000;
const FETCH_TIMEOUT_MS = 5_000;

/** Checks JWTs of end users against the keys of their identity provider, which are kept and fetched again when unknown. */
export function createEndUsers(options: EndUsersOptions): VerifyEndUser {
  const { jwksUrl, issuer, audience, places, clock } = options;
  const checks = createAdmission(places);
  let fetchedAt = clock.monotonic();
  const keys = createRemoteJWKSet(new URL(jwksUrl), {
    cacheMaxAge: STALE_MS,
    timeoutDuration: FETCH_TIMEOUT_MS,
    [customFetch]: rememberFailure(options, () => {
      fetchedAt = clock.monotonic();
    }),
  });
  const refetch = () => void keys.reload().catch(() => undefined);
  // Now, so that the first callers do not wait for them.
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
    // "" owns what has no owner, so it must not be a subject. RFC 7519 4.1.2: a string.
    if (typeof sub === "string" && sub !== "") return sub;
    throw new errors.JWTClaimValidationFailed("no text", payload, "sub");
  }

  return async (token) => {
    if (!checks.enter()) throw unavailable("too many tokens are being checked");
    try {
      return await subjectOf(token);
    } catch (error) {
      throw refusal(error);
    } finally {
      checks.leave();
    }
  };
}

/**
 * `fetch` for the keys that does not ask again for a moment after it failed, whatever was wrong with the answer: calls with
 * garbage tokens would otherwise ask a provider in trouble once each.
 */
function rememberFailure(
  { clock, events, fetch: fetchKeys = fetch }: EndUsersOptions,
  fetched: () => void,
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
      fetched();
      events.keysFetched({ ok: true });
      return new Response(body);
    } catch (error) {
      failedAt = clock.monotonic();
      events.keysFetched({ ok: false, error });
      throw error;
    }
  };
}

/** A fault of the token is the caller's; keys that cannot be had are no caller's fault. */
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
  return unavailable(`no keys to check tokens with: ${code}`);
}

const unavailable = (why: string) =>
  new ServiceError(ErrorReason.AUTHENTICATION_UNAVAILABLE, why, { retryAfterMs: RETRY_AFTER_MS });
