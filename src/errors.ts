import { ErrorReason as Generated } from "../gen/faceverification/v1/error_pb.ts";
import type { CodeEntry } from "./domain/codes.ts";

/** The contract's closed list (`error.proto`); the generated type is open, as proto3 enums are. */
export const ErrorReason = Generated;
export type ErrorReason = (typeof Generated)[keyof typeof Generated];

const NAMES = new Map(Object.entries(Generated).map(([name, reason]) => [reason, name]));

/** The reason as callers see it, without the enum's prefix: `INVALID_REQUEST`. */
export const reasonName = (reason: ErrorReason): string => NAMES.get(reason) ?? "UNSPECIFIED";

/** One broken rule of one request field (google.rpc.BadRequest.FieldViolation). Never holds the field's value. */
export interface FieldViolation {
  /** The field's proto name, such as `id_no`. */
  field: string;
  /** The rule's stable name, such as `string.min_len` or `id_no.check_digit`; `domain/messages.ts` has it in words. */
  rule: string;
}

export interface ServiceErrorOptions {
  /** For the log only, never for a caller. */
  cause?: unknown;
  /** Delay after which a retry may help, milliseconds. */
  retryAfterMs?: number;
  violations?: readonly FieldViolation[];
  /** For the caller (google.rpc.ErrorInfo.metadata): vendor code and serial number. Nothing personal, nothing secret. */
  metadata?: Readonly<Record<string, string>>;
}

/**
 * A failed call in terms of the contract. Doors derive what the caller sees from `reason` alone; `message` and `cause` are
 * for the log.
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

/** When a caller should ask an unreachable store again, milliseconds. */
const STORE_RETRY_MS = 1_000;

/** What a call fails with whose store fails with `error`: `reason` for a StoreError, and else the error itself. */
export function storeFailure(error: unknown, reason: ErrorReason, message: string): unknown {
  if (!(error instanceof StoreError)) return error;
  return new ServiceError(reason, message, { cause: error, retryAfterMs: STORE_RETRY_MS });
}

/** The same of a ledger. */
export const ledgerFailure = (error: unknown): unknown =>
  storeFailure(error, ErrorReason.LEDGER_UNAVAILABLE, "the ledger is unreachable");

/** INVALID_REQUEST for the given fields. */
export function invalidRequest(violations: readonly FieldViolation[]): ServiceError {
  const fields = violations.map(({ field, rule }) => `${field} (${rule})`).join(" and ");
  return new ServiceError(ErrorReason.INVALID_REQUEST, `invalid request: ${fields}`, { violations });
}

/** CANCELLED, for a caller that disconnected: no response reaches it. */
export const callerLeft = (): ServiceError => new ServiceError(ErrorReason.CANCELLED, "the caller went away");

/** DEADLINE_EXCEEDED, for a call whose caller-supplied deadline passed. */
export const deadlinePassed = (): ServiceError =>
  new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "the caller's deadline passed");

/** The vendor's interfaces that this service calls. */
export type UpstreamEndpoint = "access_token" | "sign_ticket" | "nonce_ticket" | "upload" | "query";

/**
 * Why a vendor call failed:
 * - `not_sent`: it failed before the request was written (DNS, refused, TLS, connect timeout, an idle connection that turned
 *   out to be closed): the vendor did nothing;
 * - `code`: a valid response with a code other than "0";
 * - `throttled`: HTTP 429;
 * - `timeout`, `broken`, `status`, `malformed`, `too_large`: anything may have happened at the vendor;
 * - `aborted`: our caller aborted.
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
 * How far a request got if its connection broke before any of the response arrived:
 * - `unwritten`: no byte of it was written, as on an idle connection that turned out to be closed;
 * - `unanswered`: anything may have happened at the vendor.
 */
export type BrokenOff = "unwritten" | "unanswered";

/** Details of a failed vendor call, as far as known. */
export interface UpstreamDetail {
  /** The vendor's code and its meaning. */
  entry?: CodeEntry | undefined;
  bizSeqNo?: string | undefined;
  brokenOff?: BrokenOff | undefined;
  cause?: unknown;
}

/** A failed vendor call. Contains no URL, no body and no message from the vendor. */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";
  readonly endpoint: UpstreamEndpoint;
  readonly failure: UpstreamFailure;
  /** The vendor's code: with failure `code`, and with `status` and `throttled` if the response's JSON has one. */
  readonly entry: CodeEntry | undefined;
  /** The vendor's serial number, if the response had one. */
  readonly bizSeqNo: string | undefined;
  /** With failure `broken` or `not_sent`, if there was a connection and none of the response had arrived. */
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

/** A failed operation of a shared store. Safe to log: never contains a value, a key or a server's own message. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  /** One word: the first of Redis' error, such as `WRONGPASS`, or a socket's or OpenSSL's code, such as `ECONNREFUSED`. */
  readonly code: string;

  constructor(operation: string, code: string, cause?: unknown) {
    super(`${operation}: ${code}`, { cause });
    this.code = code;
  }
}

/** A start-up failure that the operator can fix. The message is safe to log. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
}
