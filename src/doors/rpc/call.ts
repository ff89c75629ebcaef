import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { IncomingCall } from "../../calls/call.ts";
import { callerLeft, ErrorReason, ServiceError } from "../../errors.ts";
import { bearerToken } from "../../lib/http.ts";

/** A call as it came in, whoever reads and answers it. */
export interface CallSource extends Pick<IncomingCall, "door" | "answerHeader" | "signal"> {
  header: (name: string) => string | undefined;
}

/** A call in the pipeline's words. */
export function incomingCall(
  { door, header, answerHeader, signal }: CallSource,
  listener: IncomingCall["listener"],
): IncomingCall {
  return {
    door,
    listener,
    requestId: header("x-request-id") ?? "",
    credential: bearerToken(header("authorization")),
    // The listener overwrites these headers, so they are its own words and not the client's.
    peer: header("x-peer-address") ?? "",
    certificate: header("x-peer-certificate"),
    traceparent: header("traceparent"),
    answerHeader,
    language: header("accept-language"),
    signal,
  };
}

/** A call that Connect has read. */
export const fromConnect = (context: HandlerContext): CallSource => ({
  door: context.protocolName,
  header: (name) => context.requestHeader.get(name) ?? undefined,
  answerHeader: (name, value) => context.responseHeader.set(name, value),
  signal: translated(context.signal),
});

/** The same signal with a ServiceError for its reason. */
function translated(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = () => {
    const late = ConnectError.from(signal.reason).code === Code.DeadlineExceeded;
    controller.abort(
      late ? new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "the caller's deadline passed") : callerLeft(),
    );
  };
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return controller.signal;
}
