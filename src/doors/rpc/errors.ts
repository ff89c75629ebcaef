import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  RetryInfoSchema,
} from "../../../gen/google/rpc/error_details_pb.ts";
import { type Language, languageOf, ruleText, TEXTS, violationsText } from "../../domain/messages.ts";
import { ErrorReason, reasonName, ServiceError } from "../../errors.ts";
import { memoizePerObject } from "../../lib/memoize.ts";

/** The `domain` of every google.rpc.ErrorInfo (AIP-193). */
export const ERROR_DOMAIN = "faceverification.v1";

/** The status code of each reason on the RPC doors (gRPC status codes, `google.rpc.Code`). */
export const GRPC_CODES = {
  [ErrorReason.UNSPECIFIED]: Code.Unknown,
  [ErrorReason.INVALID_REQUEST]: Code.InvalidArgument,
  [ErrorReason.MALFORMED_REQUEST]: Code.InvalidArgument,
  [ErrorReason.UNSUPPORTED_MEDIA_TYPE]: Code.InvalidArgument,
  [ErrorReason.PAYLOAD_TOO_LARGE]: Code.ResourceExhausted,
  [ErrorReason.ROUTE_NOT_FOUND]: Code.Unimplemented,
  [ErrorReason.ORDER_NOT_FOUND]: Code.NotFound,
  [ErrorReason.UNAUTHENTICATED]: Code.Unauthenticated,
  [ErrorReason.PERMISSION_DENIED]: Code.PermissionDenied,
  [ErrorReason.IDENTITY_REJECTED]: Code.InvalidArgument,
  [ErrorReason.PHOTO_REJECTED]: Code.InvalidArgument,
  [ErrorReason.DAILY_LIMIT]: Code.ResourceExhausted,
  [ErrorReason.RATE_LIMITED]: Code.ResourceExhausted,
  [ErrorReason.REQUEST_ID_REUSED]: Code.AlreadyExists,
  [ErrorReason.AUTHENTICATION_UNAVAILABLE]: Code.Unavailable,
  [ErrorReason.OVERLOADED]: Code.ResourceExhausted,
  [ErrorReason.TICKET_UNAVAILABLE]: Code.Unavailable,
  [ErrorReason.UPSTREAM_UNAVAILABLE]: Code.Unavailable,
  // Not DEADLINE_EXCEEDED: the caller's own deadline has not passed.
  [ErrorReason.UPSTREAM_TIMEOUT]: Code.Unavailable,
  [ErrorReason.UPSTREAM_REFUSED]: Code.Unavailable,
  [ErrorReason.UPSTREAM_MISCONFIGURED]: Code.FailedPrecondition,
  [ErrorReason.UPSTREAM_UNEXPECTED]: Code.Internal,
  [ErrorReason.DEADLINE_EXCEEDED]: Code.DeadlineExceeded,
  [ErrorReason.CANCELLED]: Code.Canceled,
  [ErrorReason.INTERNAL]: Code.Internal,
  [ErrorReason.NO_LEDGER]: Code.Unimplemented,
  [ErrorReason.LEDGER_UNAVAILABLE]: Code.Unavailable,
  [ErrorReason.RESUME_TOKEN_EXPIRED]: Code.OutOfRange,
  [ErrorReason.STOPPING]: Code.Unavailable,
  [ErrorReason.LINK_NOT_FOUND]: Code.NotFound,
  [ErrorReason.NO_PUBLIC_URL]: Code.Unimplemented,
  [ErrorReason.LINKS_UNAVAILABLE]: Code.Unavailable,
} satisfies Record<ErrorReason, Code>;

/** A request that violates its own protocol, for which gRPC prescribes a code independent of our reason. */
export class ProtocolError extends ServiceError {
  readonly code: Code;

  constructor(code: Code, reason: ErrorReason, message: string) {
    super(reason, message);
    this.code = code;
  }
}

/** Converts a failed call to Connect's error: the public text and the details of AIP-193. */
export const toConnectError = (error: ServiceError, acceptLanguage: string | undefined): ConnectError =>
  IN[languageOf(acceptLanguage, "en")](error);

// Memoized, since one error instance may reject many calls.
// perf: docs/performance.md#memoized-encodings
const IN: Readonly<Record<Language, (error: ServiceError) => ConnectError>> = {
  en: memoizePerObject((error) => inLanguage(error, "en")),
  zh: memoizePerObject((error) => inLanguage(error, "zh")),
};

function inLanguage(error: ServiceError, language: Language): ConnectError {
  const { reason, violations, metadata, retryAfterMs } = error;
  const locale = language === "zh" ? "zh-CN" : "en";
  const named = violationsText(violations, "en");
  const message = named === "" ? TEXTS[reason].en : `${TEXTS[reason].en} (${named})`;
  const code = error instanceof ProtocolError ? error.code : GRPC_CODES[reason];
  const details = [
    {
      desc: ErrorInfoSchema,
      value: create(ErrorInfoSchema, {
        reason: reasonName(reason),
        domain: ERROR_DOMAIN,
        metadata: { ...metadata },
      }),
    },
    ...(violations.length > 0
      ? [
          {
            desc: BadRequestSchema,
            value: create(BadRequestSchema, {
              fieldViolations: violations.map((violation) => ({
                field: violation.field,
                description: ruleText(violation, "en"),
                reason: violation.rule,
                localizedMessage: { locale, message: ruleText(violation, language) },
              })),
            }),
          },
        ]
      : []),
    ...(retryAfterMs === undefined
      ? []
      : [
          {
            desc: RetryInfoSchema,
            value: create(RetryInfoSchema, { retryDelay: durationFromMs(retryAfterMs) }),
          },
        ]),
    {
      desc: LocalizedMessageSchema,
      value: create(LocalizedMessageSchema, {
        locale,
        message: TEXTS[reason][language],
      }),
    },
  ];
  // The cause stays here: it says that the error is ours.
  return new ConnectError(message, code, undefined, details, error);
}
