import {
  Code,
  ConnectError,
  type ConnectRouterOptions,
  createContextKey,
  type HandlerContext,
} from "@connectrpc/connect";
import { ErrorReason, ServiceError } from "../errors.ts";
import { connectError } from "./errors.ts";

export interface UnreadableOptions {
  events: {
    /** A request that never reached a handler. */
    requestRefused(refused: { door: string; requestId: string; path: string; error: ServiceError }): void;
  };
}

/** What Connect's own codes mean before a handler is reached. */
const REASONS: ReadonlyMap<Code, ErrorReason> = new Map([
  [Code.InvalidArgument, ErrorReason.MALFORMED_REQUEST],
  // Connect's word for bytes that are no message; a fault of ours cannot come before the handler.
  [Code.Internal, ErrorReason.MALFORMED_REQUEST],
  [Code.ResourceExhausted, ErrorReason.PAYLOAD_TOO_LARGE],
  [Code.Unimplemented, ErrorReason.UNSUPPORTED_MEDIA_TYPE],
  [Code.DeadlineExceeded, ErrorReason.DEADLINE_EXCEEDED],
  [Code.Canceled, ErrorReason.CANCELLED],
]);

/**
 * Requests that Connect refuses before a handler is reached, because they cannot be decoded or are too large. Its text
 * quotes what was sent, so it is replaced by ours with our details, under the same code, and the refusal is told as an event.
 */
export function watchUnreadable({ events }: UnreadableOptions) {
  const key = createContextKey({ reached: false });

  function refuse({ protocolName, requestHeader, method }: HandlerContext, refusal: ConnectError): void {
    const reason = REASONS.get(refusal.code) ?? ErrorReason.INTERNAL;
    const error = new ServiceError(reason, "not a readable request");
    const { code, rawMessage, message, details } = connectError(
      error,
      requestHeader.get("accept-language") ?? undefined,
    );
    Object.assign(refusal, { code, rawMessage, message, details, cause: undefined });
    const requestId = requestHeader.get("x-request-id") ?? "";
    events.requestRefused({ door: protocolName, requestId, path: method.name, error });
  }

  return {
    /** Called with the headers, before the body is read. */
    requestGate(context) {
      const visit = { reached: false };
      context.values.set(key, visit);
      // Connect aborts the call with its error before it writes that error down.
      context.signal.addEventListener("abort", () => {
        const { reason } = context.signal as { reason: unknown };
        if (!visit.reached && reason instanceof ConnectError) refuse(context, reason);
      });
    },
    interceptors: [
      (next) => (request) => {
        request.contextValues.get(key).reached = true;
        return next(request);
      },
    ],
  } satisfies Partial<ConnectRouterOptions>;
}
