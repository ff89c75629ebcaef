import type { DescMessage, DescService, MessageShape } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { IncomingCall } from "../../calls/call.ts";
import type { Implementation } from "../../calls/implement.ts";
import type { Wrapped, WrappedStream } from "../../calls/pipeline.ts";
import { callerLeft, type ServiceError } from "../../errors.ts";
import { fromConnect, incomingCall } from "./call.ts";
import { toConnectError } from "./errors.ts";
import { pulled } from "./pulled.ts";

type Message = MessageShape<DescMessage>;

/** The RPC door: every RPC of a service. Translates context and errors, nothing else. */
export function createRoutes<S extends DescService>(
  { service, methods }: Implementation<S>,
  listener: IncomingCall["listener"],
) {
  const routes = service.methods.map(({ localName, methodKind }) => {
    const method: unknown = methods[localName as keyof S["method"]];
    return [
      localName,
      methodKind === "server_streaming"
        ? streaming(method as WrappedStream<DescMessage, DescMessage>, listener)
        : unary(method as Wrapped<DescMessage, DescMessage>, listener),
    ];
  });
  return (router: ConnectRouter): void => {
    router.service(service, Object.fromEntries(routes) as ServiceImpl<S>);
  };
}

/** A wrapped handler as Connect calls it. */
function unary(method: Wrapped<DescMessage, DescMessage>, listener: IncomingCall["listener"]) {
  return async (request: Message, context: HandlerContext): Promise<Message> => {
    const call = received(context, listener);
    try {
      return await method(request, call);
    } catch (error) {
      // The pipeline rejects only with ServiceError.
      throw toConnectError(error as ServiceError, call.language);
    }
  };
}

function streaming(method: WrappedStream<DescMessage, DescMessage>, listener: IncomingCall["listener"]) {
  return async function* (request: Message, context: HandlerContext): AsyncGenerator<Message> {
    const call = received(context, listener);
    try {
      yield* pulled<Message>((send) => method(request, call, send), call.scope.signal);
    } catch (error) {
      throw toConnectError(error as ServiceError, call.language);
    } finally {
      // Connect stops pulling when a message cannot be written.
      call.scope.end(callerLeft());
    }
  };
}

function received(context: HandlerContext, listener: IncomingCall["listener"]): IncomingCall {
  const call = incomingCall(fromConnect(context), listener);
  context.responseHeader.set("x-request-id", call.requestId);
  context.responseHeader.set("cache-control", "no-store");
  return call;
}
