import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { reasonName, ServiceError } from "../errors.ts";
import type { ServiceEvents } from "../events.ts";
import { resumeTogether } from "../lib/event-loop.ts";
import { endTrailersOnly } from "../lib/http.ts";

/** Why a request reached no door, as a name of the contract's `ErrorReason`. */
export type Refused =
  | "MALFORMED_REQUEST"
  | "PERMISSION_DENIED"
  | "RATE_LIMITED"
  | "ROUTE_NOT_FOUND"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "PAYLOAD_TOO_LARGE"
  | "DEADLINE_EXCEEDED"
  | "INTERNAL";

export interface RefusalsOptions {
  /** Creates a request id. */
  newId: () => string;
  events: Pick<ServiceEvents, "requestTurnedAway">;
}

const TEXTS: Readonly<Record<Refused, string>> = {
  MALFORMED_REQUEST: "the request cannot be read",
  PERMISSION_DENIED: "not for pages of other sites",
  RATE_LIMITED: "too many requests",
  ROUTE_NOT_FOUND: "there is no such route",
  UNSUPPORTED_MEDIA_TYPE: "this content type is not supported here",
  PAYLOAD_TOO_LARGE: "the request is too large",
  DEADLINE_EXCEEDED: "the request did not come in time",
  INTERNAL: "internal error",
};
const BY_STATUS: ReadonlyMap<number, Refused> = new Map([
  [403, "PERMISSION_DENIED"],
  [404, "ROUTE_NOT_FOUND"],
  [405, "ROUTE_NOT_FOUND"],
  [408, "DEADLINE_EXCEEDED"],
  [413, "PAYLOAD_TOO_LARGE"],
  [415, "UNSUPPORTED_MEDIA_TYPE"],
  [429, "RATE_LIMITED"],
  [431, "PAYLOAD_TOO_LARGE"],
  [505, "ROUTE_NOT_FOUND"],
]);
const JSON_TYPE = "application/json; charset=utf-8";
/** UNIMPLEMENTED, as gRPC servers respond to an unknown method. */
const NO_SUCH_METHOD = { "grpc-status": "12", "grpc-message": encodeURIComponent(TEXTS.ROUTE_NOT_FOUND) };

const reasonOf = (status: number): Refused =>
  BY_STATUS.get(status) ?? (status < 500 ? "MALFORMED_REQUEST" : "INTERNAL");

/** The response body, in the format of the form door's errors. */
const bodyOf = (status: number) => {
  const reason = reasonOf(status);
  return { code: String(status), msg: TEXTS[reason], reason };
};

/** Answers and reports requests that reach no door: unknown routes and everything Fastify or Node refuses. */
export function createRefusals({ newId, events }: RefusalsOptions) {
  /** HTTP/1 requests whose body is incomplete, by socket: a parser error concerns them. */
  const reading = new WeakMap<Socket, IncomingMessage>();

  function refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    cause?: unknown,
  ): FastifyReply {
    events.requestTurnedAway({ requestId: request.id, reason: reasonOf(status), cause });
    return reply
      .code(status)
      .type(JSON_TYPE)
      .send(JSON.stringify(bodyOf(status)));
  }

  /** For errors of the listener's own checks: a peer that exceeds its rate, a page of another site. */
  function refuseOurs(request: FastifyRequest, reply: FastifyReply, error: ServiceError): FastifyReply {
    const { reason, retryAfterMs } = error;
    if (retryAfterMs !== undefined) void reply.header("retry-after", String(Math.ceil(retryAfterMs / 1000)));
    const [status] = [...BY_STATUS].find(([, name]) => name === reasonName(reason)) ?? [500];
    return refuse(request, reply, status, status < 500 ? undefined : error);
  }

  /** For Node's `clientError`: bytes on a socket that are not HTTP, too many or too slow. */
  function refuseSocket(error: NodeJS.ErrnoException, socket: Socket, retried = false): void {
    const request = reading.get(socket);
    const partial = request !== undefined && !request.complete;
    // A caller that disconnects in the middle of its body is not a parser error.
    if (partial && error.code === "HPE_INVALID_EOF_STATE") return void socket.destroy();
    // The body arrived together with the headers: its reader is about to attach.
    if (partial && !retried) return void resumeTogether().then(() => refuseSocket(error, socket, true));
    if (partial && request.listenerCount("error") > 0) {
      // The body's reader responds and reports.
      request.emit("error", error);
      return;
    }
    if (error.code === "ECONNRESET" || socket.destroyed) return;
    const status = statusOf(error.code);
    events.requestTurnedAway({ requestId: newId(), reason: reasonOf(status) });
    if (socket.writable) {
      const body = JSON.stringify(bodyOf(status));
      const head = [
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
        `content-type: ${JSON_TYPE}`,
        `content-length: ${Buffer.byteLength(body)}`,
        "connection: close",
      ];
      socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
    }
    socket.destroySoon();
  }

  return {
    refuse,
    refuseSocket,

    /** Records which request's body is arriving on an HTTP/1 socket. */
    watch(request: IncomingMessage): void {
      if (request.httpVersionMajor === 1 && !request.complete) reading.set(request.socket, request);
    },

    /** Installs the fallback handlers; the routes' own error handlers come first. */
    register(app: FastifyInstance): void {
      app.setErrorHandler<NodeJS.ErrnoException & { statusCode?: number }>((error, request, reply) => {
        // The client has disconnected, which the door has already reported.
        if (request.raw.aborted) return reply.hijack();
        if (error instanceof ServiceError) return refuseOurs(request, reply, error);
        const status = error.statusCode ?? 500;
        return refuse(request, reply, status, status < 500 ? undefined : error);
      });
      app.setNotFoundHandler((request, reply) => {
        const { "content-type": type = "" } = request.headers;
        if (request.method !== "POST" || !type.startsWith("application/grpc"))
          return refuse(request, reply, 404);
        events.requestTurnedAway({ requestId: request.id, reason: "ROUTE_NOT_FOUND" });
        return endTrailersOnly(reply, type, NO_SUCH_METHOD);
      });
    },
  };
}

function statusOf(code: string | undefined): number {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return 408;
  return code === "HPE_HEADER_OVERFLOW" || code === "HPE_CHUNK_EXTENSIONS_OVERFLOW" ? 431 : 400;
}
