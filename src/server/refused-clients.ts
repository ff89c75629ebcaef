import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { FastifyInstance } from "fastify";
import type { Clock } from "../lib/clock.ts";
import { certificateNameOf } from "./peer-certificate.ts";

export interface RefusedClientsOptions {
  clock: Clock;
  events: {
    /** A client that did not get through the TLS handshake; `others`: how many since the last one that was told. */
    tlsRefused?(refused: {
      port: number;
      why: string;
      peer: string;
      certificate: string | undefined;
      others: number;
    }): void;
  };
}

/** Whoever connects can cause these, so one is told in so many milliseconds, and the others are counted. */
const TELL_EVERY_MS = 1_000;

/**
 * Tells of clients that TLS refuses, who never make a request and so leave no other line: without a certificate where one is
 * demanded, with one of another authority, or with another protocol. Not of those that connect and leave, as balancers do.
 */
export function tellRefusedClients(app: FastifyInstance, { clock, events }: RefusedClientsOptions): void {
  let toldAt = Number.NEGATIVE_INFINITY;
  let others = 0;
  // Asked while there is a connection: a socket keeps the answer for when there is none any more.
  app.server.on("connection", (socket) => void socket.remoteAddress);
  app.server.on("tlsClientError", (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    const why = reason(error, socket);
    if (why === undefined) return;
    if (clock.monotonic() - toldAt < TELL_EVERY_MS) {
      others += 1;
      return;
    }
    const { port } = app.server.address() as AddressInfo;
    events.tlsRefused?.({
      port,
      why,
      peer: peerOf(socket),
      certificate: certificateNameOf({ socket }),
      others,
    });
    toldAt = clock.monotonic();
    others = 0;
  });
}

/** Node has closed it by now where the certificate was wrong, and the connection below it, which knows more, has no public name. */
function peerOf(socket: TLSSocket): string {
  const { _parent: below } = socket as { _parent?: Socket };
  return socket.remoteAddress ?? below?.remoteAddress ?? "";
}

/** Node's word for the certificate, else OpenSSL's for the handshake. */
function reason({ code }: NodeJS.ErrnoException, socket: TLSSocket): string | undefined {
  const refused = socket.authorizationError as unknown;
  if (typeof refused === "string") return refused;
  return code?.startsWith("ERR_SSL_") ? code : undefined;
}
