import type { ConnectRouter } from "@connectrpc/connect";
import { TicketAdminService } from "../../gen/faceverification/v1/ticket_admin_service_pb.ts";
import type { TicketAdmin } from "../handlers/ticket-admin.ts";
import { rpc } from "./routes.ts";

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
