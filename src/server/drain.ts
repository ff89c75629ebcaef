import type { Server } from "node:http";
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Clock } from "../lib/clock.ts";
import { resumeTogether } from "../lib/event-loop.ts";
import type { SlowReaders } from "./slow-readers.ts";

export interface ClosingOptions {
  /** Watches every connection and every stream. */
  slowReaders: Pick<SlowReaders, "watch" | "watchStream">;
  /** Aborted when the listener begins to close, to end endless streams. */
  closing?: AbortController;
  /** How long calls in flight may take once closing begins, milliseconds; then their sockets are cut. */
  drainMs: number;
  clock: Clock;
}

/** How long an unread request stream may outlive its response, and a socket its session, milliseconds. */
const STREAM_LINGER_MS = 50;
const SOCKET_LINGER_MS = 1_000;
/** How long a newly accepted client may take to send its first bytes, milliseconds. */
const UNREAD_MS = 1_000;
/** Closing waits for a gap this long between new connections, but not longer than ACCEPT_MS, milliseconds. */
const QUIET_MS = 20;
const ACCEPT_MS = 500;
const SHORT_TURN_MS = 2;
const SWEEP_MS = 50;
/** For the first GOAWAY: requests already on the wire are still answered (RFC 9113 6.8). */
const NO_ERROR = 0;
const LAST_STREAM = 2 ** 31 - 1;

/**
 * Makes `close()` end as soon as the last response is sent. By default Node and Fastify wait for four things
 * that may never happen (docs/architecture.md#the-listeners): a keep-alive connection that was busy when
 * closing began idles for over a minute; one opened in advance does not count as idle before its first
 * request, nor does one whose request is on the wire; an HTTP/2 stream whose request body was refused unread
 * stays open for good; a peer that leaves a response unread keeps its socket open.
 */
export function closePromptly(
  app: FastifyInstance,
  { closing, drainMs, clock, slowReaders }: ClosingOptions,
): {
  /** Makes HTTP/2 clients open a new connection for new calls; calls they still send here are answered. */
  drain(): void;
} {
  const server = app.server as unknown as Http2Server & Partial<Pick<Server, "closeIdleConnections">>;
  const sockets = new Set<Socket>();
  const sessions = new Map<ServerHttp2Session, Socket>();

  // Before Node's own listener, which emits "session" for the socket synchronously.
  let accepted: Socket | undefined;
  let ended: Promise<void> | undefined;
  const accept = (socket: Socket) => {
    accepted = socket;
    sockets.add(socket);
    slowReaders.watch(socket);
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
    const socket = stream.session && sessions.get(stream.session as ServerHttp2Session);
    if (socket) slowReaders.watchStream(stream, socket);
    stream.once("finish", () => {
      if (stream.readableEnded) return;
      // RFC 9113 8.1 allows a reset after a complete response.
      void clock.sleep(STREAM_LINGER_MS).then(() => {
        if (!stream.destroyed) stream.destroy();
      });
    });
  });
  // Node has already closed the session.
  server.on("sessionError", () => undefined);

  async function sweep(closed: AbortSignal): Promise<void> {
    const began = clock.monotonic();
    const endedAt = new Map<Socket, number>();
    while (!closed.aborted) {
      // Bytes that have already arrived are read first, so their connection does not count as idle.
      await resumeTogether();
      const now = clock.monotonic();
      const patient = now - began < UNREAD_MS;
      server.closeIdleConnections?.();
      for (const socket of sockets) if (!patient && socket.bytesRead === 0) socket.destroy();
      for (const [session, socket] of sessions) {
        if (!patient && !session.closed) session.close();
        if (!session.destroyed) continue;
        const since = endedAt.get(socket) ?? now;
        endedAt.set(socket, since);
        if (now - since > SOCKET_LINGER_MS) socket.destroy();
      }
      if (now - began > drainMs) for (const socket of sockets) socket.destroy();
      await clock.sleep(SWEEP_MS, closed).catch(() => undefined);
    }
  }

  /**
   * Stops listening. On close the kernel resets connections in its accept queue, so we accept until none
   * arrives for a moment. They are served only afterwards, since a client that gets a response may connect
   * again. A turn of the event loop that took long, on a busy machine, says nothing of that moment: connections
   * may have arrived behind it.
   */
  async function stopListening(): Promise<void> {
    const serve = server.listeners("connection") as ((socket: Socket) => void)[];
    const waiting: Socket[] = [];
    server.removeAllListeners("connection");
    let quietMs = 0;
    server.on("connection", (socket: Socket) => {
      waiting.push(socket);
      quietMs = 0;
    });
    const began = clock.monotonic();
    for (let now = began; quietMs < QUIET_MS && now - began < ACCEPT_MS; ) {
      await resumeTogether();
      const turnMs = clock.monotonic() - now;
      now += turnMs;
      quietMs = turnMs < SHORT_TURN_MS ? quietMs + turnMs : 0;
    }
    server.removeAllListeners("connection");
    for (const listener of serve) server.on("connection", listener);
    server.close();
    for (const socket of waiting) server.emit("connection", socket);
  }

  app.addHook("preClose", async () => {
    closing?.abort();
    const closed = new AbortController();
    ended = new Promise((resolve) => {
      server.once("close", () => {
        closed.abort();
        resolve();
      });
    });
    if (server.listening) await stopListening();
    for (const session of sessions.keys()) session.close();
    void sweep(closed.signal);
  });

  // Fastify sees the server as closed and does not wait for its last connection.
  app.addHook("onClose", () => ended);

  return {
    drain() {
      for (const session of sessions.keys()) {
        if (!session.closed && !session.destroyed) session.goaway(NO_ERROR, LAST_STREAM);
      }
    },
  };
}

/** Ping interval, milliseconds: load balancers drop a silent connection after a minute or more. */
const PING_INTERVAL_MS = 30_000;
/** Max wait for a ping's acknowledgement, milliseconds (gRPC's default for keepalive, gRFC A8). */
const PING_TIMEOUT_MS = 20_000;

/** Pings HTTP/2 connections, so that long-lived gRPC channels survive the load balancers in between. */
export function keepAlive(app: FastifyInstance, clock: Clock): void {
  app.server.on("session", (session: ServerHttp2Session) => {
    const closed = new AbortController();
    session.once("close", () => closed.abort(CLOSED));
    pinging(session, clock, closed.signal).catch(() => undefined);
  });
}

const CLOSED = new Error("the session is closed");

async function pinging(session: ServerHttp2Session, clock: Clock, closed: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(PING_INTERVAL_MS, closed);
    const acknowledged = new AbortController();
    session.ping(() => acknowledged.abort(CLOSED));
    const silent = await clock.sleep(PING_TIMEOUT_MS, acknowledged.signal).then(
      () => true,
      () => false,
    );
    if (silent) session.destroy();
  }
}
