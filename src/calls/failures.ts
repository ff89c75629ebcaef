import { type CodeEntry, launchError } from "../domain/codes.ts";
import { ErrorReason, ServiceError, UpstreamError, type UpstreamFailure } from "../errors.ts";

/** What a vendor call without a usable response means for the caller: an error, never a verdict. */
const FAILURES: Readonly<Record<Exclude<UpstreamFailure, "code">, ErrorReason>> = {
  not_sent: ErrorReason.UPSTREAM_UNAVAILABLE,
  throttled: ErrorReason.RATE_LIMITED,
  timeout: ErrorReason.UPSTREAM_TIMEOUT,
  broken: ErrorReason.UPSTREAM_UNAVAILABLE,
  status: ErrorReason.UPSTREAM_UNAVAILABLE,
  malformed: ErrorReason.UPSTREAM_UNEXPECTED,
  too_large: ErrorReason.UPSTREAM_UNEXPECTED,
  aborted: ErrorReason.CANCELLED,
};

const RETRY_AFTER_MS = 2_000;

/** Converts any error to a ServiceError: a vendor failure by its code or kind, anything else as INTERNAL. */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (!(error instanceof UpstreamError)) {
    return new ServiceError(ErrorReason.INTERNAL, "unexpected error", { cause: error });
  }
  const { failure, entry, bizSeqNo } = error;
  const metadata = {
    ...(entry && { upstream_code: entry.code }),
    ...(bizSeqNo !== undefined && { biz_seq_no: bizSeqNo }),
  };
  const [reason, retryable] = meaningOf(failure, entry);
  return new ServiceError(reason, error.message, {
    cause: error,
    metadata,
    ...(retryable && { retryAfterMs: RETRY_AFTER_MS }),
  });
}

/** What a failed vendor call means for the caller, and whether it may retry. */
function meaningOf(
  failure: UpstreamFailure,
  entry: CodeEntry | undefined,
): [reason: ErrorReason, retryable: boolean] {
  if (failure === "code") {
    return entry
      ? [launchError(entry.meaning), entry.meaning.retryable]
      : [ErrorReason.UPSTREAM_UNEXPECTED, false];
  }
  const reason = FAILURES[failure];
  return [reason, reason === ErrorReason.UPSTREAM_UNAVAILABLE || reason === ErrorReason.RATE_LIMITED];
}
