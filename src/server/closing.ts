import type { Server } from "node:http";
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Clock } from "../lib/clock.ts";

export interface ClosingOptions {
  /** Aborted when the listener begins to close: endless streams end then. */
  closing?: AbortController;
  /** How long calls under way may take to finish once closing has begun, milliseconds; then their sockets are cut. */
  drainMs: number;
  clock: Clock;
}

/** How long an unread request stream may linger after its answer, and a socket after its session, milliseconds. */
const STREAM_LINGER_MS = 50;
const SOCKET_LINGER_MS = 1_000;
const SWEEP_MS = 50;
/** Of a first GOAWAY: whatever is on its way will be answered (RFC 9113 6.8). */
const NO_ERROR = 0;
const LAST_STREAM = 2 ** 31 - 1;

/**
 * Makes `close()` end as soon as the last answer is out. Left alone, Node and Fastify wait for four things that may
 * never come (stack.md 3): a keep-alive connection that was busy when closing began idles on for over a minute; one that
 * was opened in advance and has asked for nothing yet does not count as idle; an HTTP/2 stream whose request body was
 * refused unread stays open for good; a peer that leaves an answer unread holds its socket.
 */
export function closePromptly(
  app: FastifyInstance,
  { closing, drainMs, clock }: ClosingOptions,
): {
  /** Tells HTTP/2 clients to open a new connection for new calls; all that they still send here is answered. */
  drain(): void;
} {
  const server = app.server as unknown as Http2Server & Partial<Pick<Server, "closeIdleConnections">>;
  const sockets = new Set<Socket>();
  const sessions = new Map<ServerHttp2Session, Socket>();

  // Before Node's own listener, which emits "session" for the socket at once.
  let accepted: Socket | undefined;
  const accept = (socket: Socket) => {
    accepted = socket;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  server.prependListener("connection", accept);
  server.prependListener("secureConnection", accept);
  server.on("session", (session) => {
    if (accepted === undefined) return;
    sessions.set(session, accepted);
    accepted.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.once("finish", () => {
      if (stream.readableEnded) return;
      // RFC 9113 8.1 allows a reset after a complete answer.
      void clock.sleep(STREAM_LINGER_MS).then(() => {
        if (!stream.destroyed) stream.destroy();
      });
    });
  });
  // Node has ended the broken peer's session; there is nothing to add.
  server.on("sessionError", () => undefined);

  async function sweep(closed: AbortSignal): Promise<void> {
    const began = clock.monotonic();
    const endedAt = new Map<Socket, number>();
    while (!closed.aborted) {
      const now = clock.monotonic();
      server.closeIdleConnections?.();
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      for (const [session, socket] of sessions) {
        if (!session.destroyed) continue;
        const since = endedAt.get(socket) ?? now;
        endedAt.set(socket, since);
        if (now - since > SOCKET_LINGER_MS) socket.destroy();
      }
      if (now - began > drainMs) for (const socket of sockets) socket.destroy();
      await clock.sleep(SWEEP_MS, closed).catch(() => undefined);
    }
  }

  app.addHook("preClose", async () => {
    closing?.abort();
    for (const session of sessions.keys()) session.close();
    const closed = new AbortController();
    server.once("close", () => closed.abort());
    void sweep(closed.signal);
  });

  return {
    drain() {
      for (const session of sessions.keys()) {
        if (!session.closed && !session.destroyed) session.goaway(NO_ERROR, LAST_STREAM);
      }
    },
  };
}
