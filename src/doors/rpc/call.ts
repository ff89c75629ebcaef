import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { IncomingCall } from "../../calls/call.ts";
import { callerLeft, deadlinePassed } from "../../errors.ts";
import { onAbort } from "../../lib/deadline.ts";
import { bearerToken } from "../../lib/http.ts";
import { VISIT } from "./visit.ts";

/** An RPC as either way of reading it knows it: the fast path or Connect. */
export interface CallSource
  extends Pick<IncomingCall, "door" | "requestId" | "peer" | "answerHeader" | "scope"> {
  header: (name: string) => string | undefined;
}

/** A call in the pipeline's words. */
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

/** A call that Connect has read. */
export function fromConnect({
  protocolName,
  requestHeader,
  responseHeader,
  signal,
  values,
}: HandlerContext): CallSource {
  const { requestId, peer, client } = values.get(VISIT);
  // It also aborts when the listener ends what a shutdown left running.
  onAbort(signal, (reason) => {
    const late = ConnectError.from(reason).code === Code.DeadlineExceeded;
    client.scope.end(late ? deadlinePassed() : callerLeft());
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
