import type { ServerHttp2Session } from "node:http2";
import type { FastifyInstance } from "fastify";
import type { Clock } from "../lib/clock.ts";

/** Load balancers forget a silent connection after a minute or more; a ping in time keeps it, milliseconds. */
const PING_INTERVAL_MS = 30_000;
/** A peer that has not answered by then is gone, milliseconds (gRPC's default for keepalive, gRFC A8). */
const PING_TIMEOUT_MS = 20_000;

/** Pings every HTTP/2 connection now and then, so that long-lived gRPC channels survive what stands between. */
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
    const answered = new AbortController();
    session.ping(() => answered.abort(CLOSED));
    const silent = await clock.sleep(PING_TIMEOUT_MS, answered.signal).then(
      () => true,
      () => false,
    );
    if (silent) session.destroy();
  }
}
