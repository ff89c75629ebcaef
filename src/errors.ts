import { ErrorReason as Generated } from "../gen/faceverification/v1/error_pb.ts";
import type { CodeEntry } from "./domain/codes.ts";

/** The closed list of the contract (`error.proto`); the generated type is open, as enums on the wire are. */
export const ErrorReason = Generated;
export type ErrorReason = (typeof Generated)[keyof typeof Generated];

const NAMES = new Map(Object.entries(Generated).map(([name, reason]) => [reason, name]));

/** The reason as it is written for callers, without the enum's prefix: `INVALID_REQUEST`. */
export const reasonName = (reason: ErrorReason): string => NAMES.get(reason) ?? "UNSPECIFIED";

/** One broken rule of one request field (google.rpc.BadRequest.FieldViolation). Never holds the field's value. */
export interface FieldViolation {
  /** The field's proto name, such as `id_no`. */
  field: string;
  /** A stable name of the rule, such as `string.min_len` or `id_no.check_digit`; `domain/messages.ts` says it in words. */
  rule: string;
}

export interface ServiceErrorOptions {
  /** Goes to the log only, never to a caller. */
  cause?: unknown;
  /** When a retry may help, how long to wait, milliseconds. */
  retryAfterMs?: number;
  violations?: readonly FieldViolation[];
  /** For the caller (google.rpc.ErrorInfo.metadata): vendor code, vendor serial number. Nothing personal, nothing secret. */
  metadata?: Readonly<Record<string, string>>;
}

/**
 * A failed call, in the words of the contract. Doors decide by `reason` alone what the caller sees; `message` and `cause`
 * are for the log.
 */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly reason: ErrorReason;
  readonly retryAfterMs: number | undefined;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;

  constructor(reason: ErrorReason, message: string, options: ServiceErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs;
    this.violations = options.violations ?? [];
    this.metadata = options.metadata ?? {};
  }
}

/** INVALID_REQUEST for the given fields. */
export function invalidRequest(violations: readonly FieldViolation[]): ServiceError {
  const fields = violations.map(({ field, rule }) => `${field} (${rule})`).join(" and ");
  return new ServiceError(ErrorReason.INVALID_REQUEST, `invalid request: ${fields}`, { violations });
}

/** CANCELLED for a caller that broke off: no answer reaches it. */
export const callerLeft = (): ServiceError => new ServiceError(ErrorReason.CANCELLED, "the caller went away");

/** DEADLINE_EXCEEDED for a caller whose own deadline passed. */
export const deadlinePassed = (): ServiceError =>
  new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "the caller's deadline passed");

/** The vendor's interfaces that this service calls. */
export type UpstreamEndpoint = "access_token" | "sign_ticket" | "nonce_ticket" | "upload" | "query";

/**
 * What is known about a call to the vendor that brought no success:
 * - `not_sent`: it failed before the request was written (DNS, refused, TLS, connect timeout, a kept connection that turns out to be
 *   closed): the vendor did nothing;
 * - `code`: a readable answer with a code other than "0";
 * - `throttled`: HTTP 429;
 * - `timeout`, `broken`, `status`, `malformed`, `too_large`: anything may have happened at the vendor;
 * - `aborted`: the caller gave up.
 */
export type UpstreamFailure =
  | "not_sent"
  | "code"
  | "throttled"
  | "timeout"
  | "broken"
  | "status"
  | "malformed"
  | "too_large"
  | "aborted";

/**
 * How far a request came whose connection broke before anything of an answer was there:
 * - `unwritten`: not a byte of it was written, as on a kept connection that turns out to be closed;
 * - `unanswered`: anything may have happened at the vendor.
 */
export type BrokenOff = "unwritten" | "unanswered";

/** What may be known of a call to the vendor beside how it failed. */
export interface UpstreamDetail {
  /** The vendor's code and its meaning. */
  entry?: CodeEntry | undefined;
  bizSeqNo?: string | undefined;
  brokenOff?: BrokenOff | undefined;
  cause?: unknown;
}

/** A call to the vendor that brought no success. Holds no URL, no body and no message of the vendor. */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";
  readonly endpoint: UpstreamEndpoint;
  readonly failure: UpstreamFailure;
  /** The vendor's code: with failure `code`, and with `status` and `throttled` where the answer's JSON has one. */
  readonly entry: CodeEntry | undefined;
  /** The vendor's serial number, where the answer had one. */
  readonly bizSeqNo: string | undefined;
  /** With failure `broken` or `not_sent`, when there was a connection and nothing of an answer had come. */
  readonly brokenOff: BrokenOff | undefined;

  constructor(endpoint: UpstreamEndpoint, failure: UpstreamFailure, detail: UpstreamDetail = {}) {
    super(`${endpoint}: ${failure}${detail.entry === undefined ? "" : ` ${detail.entry.code}`}`, {
      cause: detail.cause,
    });
    this.endpoint = endpoint;
    this.failure = failure;
    this.entry = detail.entry;
    this.bizSeqNo = detail.bizSeqNo;
    this.brokenOff = detail.brokenOff;
  }
}

/** A failed operation of a shared store, in words that are safe to log; never a value, a key or a server's own sentence. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  /** One word: the first of Redis' error, such as `WRONGPASS`, or a socket's or OpenSSL's code, such as `ECONNREFUSED`. */
  readonly code: string;

  constructor(operation: string, code: string, cause?: unknown) {
    super(`${operation}: ${code}`, { cause });
    this.code = code;
  }
}

/** What keeps the service from starting, in a sentence for its operator; nothing secret is in it, so the log has it as it is. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
}
