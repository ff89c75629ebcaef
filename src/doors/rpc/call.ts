import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { IncomingCall } from "../../calls/call.ts";
import { callerLeft, deadlinePassed } from "../../errors.ts";
import { onAbort } from "../../lib/deadline.ts";
import { bearerToken } from "../../lib/http.ts";
import { VISIT } from "./visit.ts";

/** The facts of an RPC, as read by the fast path or by Connect. */
export interface CallSource
  extends Pick<IncomingCall, "door" | "requestId" | "peer" | "answerHeader" | "scope"> {
  header: (name: string) => string | undefined;
}

/** Builds the pipeline's view of a call. */
export function incomingCall(source: CallSource, listener: IncomingCall["listener"]): IncomingCall {
  const { door, requestId, peer, scope, header, answerHeader } = source;
  return {
    door,
    listener,
    requestId,
    credential: bearerToken(header("authorization")),
    peer,
    traceparent: header("traceparent"),
    answerHeader,
    language: header("accept-language"),
    scope,
  };
}

/** The facts of a call that Connect has read. */
export function fromConnect({
  protocolName,
  requestHeader,
  responseHeader,
  signal,
  values,
}: HandlerContext): CallSource {
  const { requestId, peer, client } = values.get(VISIT);
  // Also aborted when the listener ends calls that outlast the drain.
  onAbort(signal, (reason) => {
    const timedOut = ConnectError.from(reason).code === Code.DeadlineExceeded;
    client.scope.end(timedOut ? deadlinePassed() : callerLeft());
  });
  return {
    door: protocolName,
    requestId,
    peer,
    scope: client.scope,
    header: (name) => requestHeader.get(name) ?? undefined,
    answerHeader: (name, value) => responseHeader.set(name, value),
  };
}
