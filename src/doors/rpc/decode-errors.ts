import { Code, ConnectError, type ConnectRouterOptions } from "@connectrpc/connect";
import { ErrorReason, ServiceError } from "../../errors.ts";
import { ProtocolError, toConnectError } from "./errors.ts";
import { VISIT } from "./visit.ts";

/** What Connect's own codes mean before a handler is reached. */
const REASONS: ReadonlyMap<Code, ErrorReason> = new Map([
  [Code.InvalidArgument, ErrorReason.MALFORMED_REQUEST],
  // Connect's word for bytes that are no message; a fault of ours cannot come before the handler.
  [Code.Internal, ErrorReason.MALFORMED_REQUEST],
  [Code.ResourceExhausted, ErrorReason.PAYLOAD_TOO_LARGE],
  [Code.DeadlineExceeded, ErrorReason.DEADLINE_EXCEEDED],
  [Code.Canceled, ErrorReason.CANCELLED],
]);

/** An encoding that nobody knows here, which clients learn by the code (https://github.com/grpc/grpc/blob/master/doc/compression.md). */
const unknownEncoding = () =>
  new ProtocolError(Code.Unimplemented, ErrorReason.UNSUPPORTED_MEDIA_TYPE, "an unknown encoding");

const meant = ({ code }: ConnectError): ServiceError =>
  code === Code.Unimplemented
    ? unknownEncoding()
    : new ServiceError(REASONS.get(code) ?? ErrorReason.INTERNAL, "not a readable request");

/**
 * Requests that Connect refuses before a handler is reached, because they cannot be decoded. Its text quotes what was sent,
 * so it is replaced by ours with our details, and the refusal is told as an event.
 */
export const WATCH_UNREADABLE = {
  /** Called with the headers, before the body is read. */
  requestGate(context) {
    const visit = context.values.get(VISIT);
    // Connect aborts the call with its error before it writes that error down.
    context.signal.addEventListener("abort", () => {
      const { reason } = context.signal as { reason: unknown };
      if (visit.reading || visit.reached) return;
      // What has a ServiceError behind it is ours, and told.
      if (!(reason instanceof ConnectError) || reason.cause instanceof ServiceError) return;
      const error = meant(reason);
      const { code, rawMessage, message, details } = toConnectError(
        error,
        context.requestHeader.get("accept-language") ?? undefined,
      );
      // Among the trailers alone, clients do not look for what else they could send.
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
