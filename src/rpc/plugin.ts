import type { ConnectRouter } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import type { FastifyInstance, preHandlerAsyncHookHandler } from "fastify";
import { type UnreadableOptions, watchUnreadable } from "./unreadable.ts";
import { type AnswerEvents, watchUnwritable } from "./unwritable.ts";
import { JSON_OPTIONS, READ_MAX_BYTES } from "./wire.ts";

export interface PluginOptions {
  events: UnreadableOptions["events"] & AnswerEvents;
  /** Answers calls before Connect sees them. */
  usual?: preHandlerAsyncHookHandler;
}

/**
 * The RPC routes as a listener's plugin, speaking gRPC, gRPC-Web and Connect. Each listener needs its own, because Connect
 * keeps state in its options. Calls still running `shutdownTimeoutMs` after closing began are ended as unavailable.
 */
export function connectPlugin(
  routes: readonly ((router: ConnectRouter) => void)[],
  shutdownTimeoutMs: number,
  { events, usual }: PluginOptions,
): (app: FastifyInstance) => Promise<void> {
  const unreadable = watchUnreadable({ events });
  const unwritable = watchUnwritable(events);
  return async (app) => {
    if (usual) app.addHook("preHandler", usual);
    await app.register(fastifyConnectPlugin, {
      routes(router) {
        for (const route of routes) route(router);
      },
      readMaxBytes: READ_MAX_BYTES,
      shutdownTimeoutMs,
      requestGate(context) {
        unreadable.requestGate(context);
        unwritable.requestGate(context);
      },
      interceptors: [...unreadable.interceptors, ...unwritable.interceptors],
      jsonOptions: JSON_OPTIONS,
    });
  };
}
