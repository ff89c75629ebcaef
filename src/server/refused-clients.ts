import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { FastifyInstance } from "fastify";
import type { ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";
import { certificateNameOf } from "./peer-certificate.ts";

export interface RefusedClientsOptions {
  clock: Clock;
  events: Partial<Pick<ServiceEvents, "tlsRefused">>;
}

/** Any client can cause these, so at most one is reported per interval (ms) and the others are counted. */
const REPORT_INTERVAL_MS = 1_000;

/**
 * Reports clients that TLS refuses, which never make a request and so leave no other log line: without a
 * required certificate, with one from another authority, or with another protocol. Clients that connect and
 * leave, as load balancers do, are not reported.
 */
export function reportRefusedClients(app: FastifyInstance, { clock, events }: RefusedClientsOptions): void {
  let reportedAt = Number.NEGATIVE_INFINITY;
  let others = 0;
  // A client may be refused after the server has closed, which then has no address.
  let port = 0;
  app.server.once("listening", () => {
    ({ port } = app.server.address() as AddressInfo);
  });
  // Read while connected: Node caches the address for after the connection closes.
  app.server.on("connection", (socket) => void socket.remoteAddress);
  app.server.on("tlsClientError", (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    const why = reason(error, socket);
    if (why === undefined) return;
    if (clock.monotonic() - reportedAt < REPORT_INTERVAL_MS) {
      others += 1;
      return;
    }
    events.tlsRefused?.({
      port,
      why,
      peer: peerOf(socket),
      certificate: certificateNameOf({ socket }),
      others,
    });
    reportedAt = clock.monotonic();
    others = 0;
  });
}

/** Node has closed a refused TLS socket; the TCP socket below still has the address, but no public name. */
function peerOf(socket: TLSSocket): string {
  const { _parent: tcp } = socket as { _parent?: Socket };
  return socket.remoteAddress ?? tcp?.remoteAddress ?? "";
}

/** Node's code for the certificate, else OpenSSL's for the handshake. */
function reason({ code }: NodeJS.ErrnoException, socket: TLSSocket): string | undefined {
  const certificateError = socket.authorizationError as unknown;
  if (typeof certificateError === "string") return certificateError;
  return code?.startsWith("ERR_SSL_") ? code : undefined;
}
