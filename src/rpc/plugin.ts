import type { ConnectRouter } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import type { FastifyInstance } from "fastify";
import { type UnreadableOptions, watchUnreadable } from "./unreadable.ts";

/** Largest request, bytes: a photo of 500 KiB in Base64, and the rest. Connect's own limit is 4 GiB. */
const READ_MAX_BYTES = 1024 * 1024;

/**
 * The RPC routes as a listener's plugin, speaking gRPC, gRPC-Web and Connect. Each listener needs its own, because Connect
 * keeps state in its options. Calls still running `shutdownTimeoutMs` after closing began are ended as unavailable.
 */
export function connectPlugin(
  routes: readonly ((router: ConnectRouter) => void)[],
  shutdownTimeoutMs: number,
  options: UnreadableOptions,
): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    await app.register(fastifyConnectPlugin, {
      routes(router) {
        for (const route of routes) route(router);
      },
      readMaxBytes: READ_MAX_BYTES,
      shutdownTimeoutMs,
      ...watchUnreadable(options),
      // In JSON, `livemode: false` and `billed: false` are facts and not defaults to be left out.
      jsonOptions: { alwaysEmitImplicit: true },
    });
  };
}
