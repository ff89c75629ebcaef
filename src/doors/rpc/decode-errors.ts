import { Code, ConnectError, type ConnectRouterOptions } from "@connectrpc/connect";
import { ErrorReason, ServiceError } from "../../errors.ts";
import { ProtocolError, toConnectError } from "./errors.ts";
import { VISIT } from "./visit.ts";

/** The meaning of Connect's own codes before a handler is reached. */
const REASONS: ReadonlyMap<Code, ErrorReason> = new Map([
  [Code.InvalidArgument, ErrorReason.MALFORMED_REQUEST],
  // Connect's code for bytes that are not a message; our own faults cannot occur before the handler.
  [Code.Internal, ErrorReason.MALFORMED_REQUEST],
  [Code.ResourceExhausted, ErrorReason.PAYLOAD_TOO_LARGE],
  [Code.DeadlineExceeded, ErrorReason.DEADLINE_EXCEEDED],
  [Code.Canceled, ErrorReason.CANCELLED],
]);

/**
 * The code that tells clients of an unsupported encoding
 * (https://github.com/grpc/grpc/blob/master/doc/compression.md).
 */
const unknownEncoding = () =>
  new ProtocolError(Code.Unimplemented, ErrorReason.UNSUPPORTED_MEDIA_TYPE, "an unknown encoding");

const toServiceError = ({ code }: ConnectError): ServiceError =>
  code === Code.Unimplemented
    ? unknownEncoding()
    : new ServiceError(REASONS.get(code) ?? ErrorReason.INTERNAL, "not a readable request");

/**
 * Rewrites and reports Connect's errors for requests that it cannot decode. Their text quotes the request, so
 * it is replaced by ours with our details.
 */
export const REWRITE_DECODE_ERRORS = {
  /** Runs on the headers, before the body is read. */
  requestGate(context) {
    const visit = context.values.get(VISIT);
    // Connect aborts the call with its error before it writes that error.
    context.signal.addEventListener("abort", () => {
      const { reason } = context.signal as { reason: unknown };
      if (visit.reading || visit.reached) return;
      // Errors caused by a ServiceError are ours and already reported.
      if (!(reason instanceof ConnectError) || reason.cause instanceof ServiceError) return;
      const error = toServiceError(reason);
      const { code, rawMessage, message, details } = toConnectError(
        error,
        context.requestHeader.get("accept-language") ?? undefined,
      );
      // Clients look for the accepted encodings in the headers, not in the trailers.
      const accepted = reason.metadata.get("grpc-accept-encoding");
      if (accepted !== null) context.responseHeader.set("grpc-accept-encoding", accepted);
      Object.assign(reason, { code, rawMessage, message, details, cause: undefined });
      visit.refuse(error);
    });
  },
  interceptors: [
    (next) => (request) => {
      request.contextValues.get(VISIT).reached = true;
      return next(request);
    },
  ],
} satisfies Partial<ConnectRouterOptions>;
