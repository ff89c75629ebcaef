import type { DescMessage, DescService, MessageShape } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { IncomingCall } from "../../calls/call.ts";
import type { Implementation } from "../../calls/implement.ts";
import type { Wrapped } from "../../calls/pipeline.ts";
import type { ServiceError } from "../../errors.ts";
import { fromConnect, incomingCall } from "./call.ts";
import { toConnectError } from "./errors.ts";

/** The RPC door: every RPC of a service. Translates context and errors, nothing else. */
export function createRoutes<S extends DescService>(
  { service, methods }: Implementation<S>,
  listener: IncomingCall["listener"],
) {
  const routes = Object.entries<Wrapped<DescMessage, DescMessage>>(methods).map(([name, method]) => [
    name,
    rpc(method, listener),
  ]);
  return (router: ConnectRouter): void => {
    router.service(service, Object.fromEntries(routes) as ServiceImpl<S>);
  };
}

/** A wrapped handler as Connect calls it. */
function rpc(method: Wrapped<DescMessage, DescMessage>, listener: IncomingCall["listener"]) {
  return async (
    request: MessageShape<DescMessage>,
    context: HandlerContext,
  ): Promise<MessageShape<DescMessage>> => {
    const call = incomingCall(fromConnect(context), listener);
    context.responseHeader.set("x-request-id", call.requestId);
    context.responseHeader.set("cache-control", "no-store");
    try {
      return await method(request, call);
    } catch (error) {
      // The pipeline rejects only with ServiceError.
      throw toConnectError(error as ServiceError, call.language);
    }
  };
}
