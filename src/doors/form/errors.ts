import { type Language, TEXTS, violationsText } from "../../domain/messages.ts";
import { ErrorReason, reasonName, ServiceError } from "../../errors.ts";

/** The HTTP status of each reason on the form routes (RFC 9110). */
export const HTTP_STATUS = {
  [ErrorReason.UNSPECIFIED]: 500,
  [ErrorReason.INVALID_REQUEST]: 400,
  [ErrorReason.MALFORMED_REQUEST]: 400,
  [ErrorReason.UNSUPPORTED_MEDIA_TYPE]: 415,
  [ErrorReason.PAYLOAD_TOO_LARGE]: 413,
  [ErrorReason.ROUTE_NOT_FOUND]: 404,
  [ErrorReason.ORDER_NOT_FOUND]: 404,
  [ErrorReason.UNAUTHENTICATED]: 401,
  [ErrorReason.PERMISSION_DENIED]: 403,
  [ErrorReason.IDENTITY_REJECTED]: 400,
  [ErrorReason.PHOTO_REJECTED]: 400,
  [ErrorReason.DAILY_LIMIT]: 429,
  [ErrorReason.RATE_LIMITED]: 429,
  [ErrorReason.REQUEST_ID_REUSED]: 409,
  [ErrorReason.AUTHENTICATION_UNAVAILABLE]: 503,
  [ErrorReason.OVERLOADED]: 503,
  [ErrorReason.TICKET_UNAVAILABLE]: 503,
  [ErrorReason.UPSTREAM_UNAVAILABLE]: 503,
  [ErrorReason.UPSTREAM_TIMEOUT]: 504,
  [ErrorReason.UPSTREAM_REFUSED]: 502,
  [ErrorReason.UPSTREAM_MISCONFIGURED]: 502,
  [ErrorReason.UPSTREAM_UNEXPECTED]: 502,
  [ErrorReason.DEADLINE_EXCEEDED]: 504,
  // The caller has disconnected and reads nothing; 499 is what proxies log for it.
  [ErrorReason.CANCELLED]: 499,
  [ErrorReason.NO_LEDGER]: 501,
  [ErrorReason.LEDGER_UNAVAILABLE]: 503,
  [ErrorReason.RESUME_TOKEN_EXPIRED]: 400,
  [ErrorReason.STOPPING]: 503,
  [ErrorReason.LINK_NOT_FOUND]: 404,
  [ErrorReason.NO_PUBLIC_URL]: 501,
  [ErrorReason.LINKS_UNAVAILABLE]: 503,
  [ErrorReason.INTERNAL]: 500,
} satisfies Record<ErrorReason, number>;

/** An existing route, requested with a method other than POST (RFC 9110 15.5.6). */
export class MethodNotAllowed extends ServiceError {}

/** A failed call as the form routes return it. */
export interface FormError {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: { code: string; msg: string; reason: string; fields?: readonly { field: string; rule: string }[] };
}

/** The response to a failed call: the vendor's code if there is one, otherwise the HTTP status; never "0". */
export function formError(error: ServiceError, language: Language): FormError {
  const { reason, violations, metadata, retryAfterMs } = error;
  const status = error instanceof MethodNotAllowed ? 405 : HTTP_STATUS[reason];
  const upstreamCode = metadata["upstream_code"];
  const named = violationsText(violations, language);
  return {
    status,
    headers: {
      ...(retryAfterMs !== undefined && { "retry-after": String(Math.ceil(retryAfterMs / 1000)) }),
      ...(status === 401 && { "www-authenticate": "Bearer" }),
    },
    body: {
      code: upstreamCode === undefined || upstreamCode === "0" ? String(status) : upstreamCode,
      msg: named === "" ? TEXTS[reason][language] : `${TEXTS[reason][language]}: ${named}`,
      reason: reasonName(reason),
      ...(violations.length > 0 && { fields: violations.map(({ field, rule }) => ({ field, rule })) }),
    },
  };
}
