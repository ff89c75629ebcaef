import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { FaceVerificationService } from "../../../gen/faceverification/v1/face_verification_service_pb.ts";
import { TicketAdminService } from "../../../gen/faceverification/v1/ticket_admin_service_pb.ts";
import type { IncomingCall } from "../../calls/call.ts";
import type { Wrapped } from "../../calls/pipeline.ts";
import type { ServiceError } from "../../errors.ts";
import type { Methods } from "../../handlers/service.ts";
import type { TicketAdmin } from "../../handlers/ticket-admin.ts";
import { fromConnect, incomingCall } from "./call.ts";
import { toConnectError } from "./errors.ts";

/** The RPC door: translates context and errors, and nothing else. */
export function createRoutes(methods: Methods, listener: IncomingCall["listener"]) {
  return (router: ConnectRouter): void => {
    router.service(FaceVerificationService, {
      getFaceParams: rpc(methods.getFaceParams, listener),
      getResult: rpc(methods.getResult, listener),
    });
  };
}

/** A wrapped handler as Connect calls it. */
export function rpc<Input extends DescMessage, Output extends DescMessage>(
  method: Wrapped<Input, Output>,
  listener: IncomingCall["listener"],
) {
  return async (request: MessageShape<Input>, context: HandlerContext): Promise<MessageShape<Output>> => {
    const call = incomingCall(fromConnect(context), listener);
    context.responseHeader.set("x-request-id", call.requestId);
    context.responseHeader.set("cache-control", "no-store");
    try {
      return await method(request, call);
    } catch (error) {
      // The pipeline rejects with nothing else.
      throw toConnectError(error as ServiceError, call.language);
    }
  };
}

/** The operators' RPCs, for the admin listener. */
export function createAdminRoutes({ ticketStatus, forceRefresh, diagnose }: TicketAdmin) {
  return (router: ConnectRouter): void => {
    router.service(TicketAdminService, {
      ticketStatus: rpc(ticketStatus, "internal"),
      forceRefresh: rpc(forceRefresh, "internal"),
      diagnose: rpc(diagnose, "internal"),
    });
  };
}
