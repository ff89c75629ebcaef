import { CLASSES, type ClassMeaning, codeEntry } from "../domain/codes.ts";
import { ErrorReason, ServiceError, UpstreamError, type UpstreamFailure } from "../errors.ts";

/** What an answerless call to the vendor means for the caller: trouble, never a verdict. */
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

/** Any failure as a ServiceError: the vendor's by the catalogue and by what is known of the call, the rest as a fault of ours. */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (!(error instanceof UpstreamError)) {
    return new ServiceError(ErrorReason.INTERNAL, "unexpected error", { cause: error });
  }
  const { failure, code, bizSeqNo } = error;
  const metadata = {
    ...(code !== undefined && { upstream_code: code }),
    ...(bizSeqNo !== undefined && { biz_seq_no: bizSeqNo }),
  };
  const options = { cause: error, metadata };
  if (failure !== "code" || code === undefined) {
    const reason = failure === "code" ? ErrorReason.UPSTREAM_UNEXPECTED : FAILURES[failure];
    const retryable = reason === ErrorReason.UPSTREAM_UNAVAILABLE || reason === ErrorReason.RATE_LIMITED;
    return new ServiceError(reason, error.message, {
      ...options,
      ...(retryable && { retryAfterMs: RETRY_AFTER_MS }),
    });
  }
  const { launchError, retryable }: ClassMeaning = CLASSES[codeEntry(code).codeClass];
  return new ServiceError(launchError, error.message, {
    ...options,
    ...(retryable && { retryAfterMs: RETRY_AFTER_MS }),
  });
}
