import type { AddressInfo } from "node:net";
import fastify, { type FastifyInstance, type FastifyPluginAsync, type RawServerDefault } from "fastify";
import { randomBase62 } from "../lib/base62.ts";
import type { Part } from "../lib/lifecycle.ts";
import { type ClosingOptions, closePromptly } from "./closing.ts";

/** PEM texts. With `clientCa`, only clients with a certificate of that authority are let in. */
export interface Tls {
  cert: string;
  key: string;
  clientCa?: string | undefined;
}

export interface ListenerOptions extends ClosingOptions {
  /** Where to listen; port 0 picks one. */
  address: { host: string; port: number };
  /** Cleartext speaks one of the two; with TLS both are spoken, by ALPN. */
  cleartext: "http1" | "h2c";
  tls?: Tls | undefined;
  events: {
    /** A request for a route that does not exist. */
    routeUnknown(refused: { requestId: string }): void;
  };
  /** What is served. Fresh plugin objects for each listener: the Connect plugin keeps state in its options. */
  plugins: readonly FastifyPluginAsync[];
}

export interface Listener extends Part {
  start(): Promise<void>;
  /** Makes clients connect elsewhere from their next call on, and goes on answering; before `stop`. */
  drain(): void;
  stop(): Promise<void>;
  /** `host:port` with the real port; after `start`. */
  address(): string;
}

/** One socket and what it serves. Every listener of the service is one call of this function. */
export function createListener(options: ListenerOptions): Listener {
  const { address, plugins, events } = options;
  const app = openApp(options);
  const connections = closePromptly(app, options);
  let draining = false;

  app.addHook("onRequest", async (request, reply) => {
    // The doors read both from the headers, whatever the protocol; what a client wrote there is overwritten.
    request.raw.headers["x-request-id"] = request.id;
    request.raw.headers["x-peer-address"] = request.ip;
    void reply.header("x-request-id", request.id);
    if (draining && request.raw.httpVersionMajor === 1) void reply.header("connection", "close");
  });
  app.setNotFoundHandler((request, reply) => {
    events.routeUnknown({ requestId: request.id });
    return reply.code(404).send({ code: "404", msg: "there is no such route", reason: "ROUTE_NOT_FOUND" });
  });
  for (const plugin of plugins) void app.register(plugin);

  return {
    async start() {
      await app.listen(address);
    },
    drain() {
      draining = true;
      connections.drain();
    },
    stop: () => app.close(),
    address() {
      const { address: host, port, family } = app.server.address() as AddressInfo;
      return `${family === "IPv6" ? `[${host}]` : host}:${port}`;
    },
  };
}

function openApp({ cleartext, tls }: ListenerOptions): FastifyInstance {
  const common = {
    requestIdHeader: false,
    genReqId: ({ headers }: { headers: Record<string, string | string[] | undefined> }) =>
      requestId(headers["x-request-id"]),
    requestTimeout: 60_000,
    return503OnClosing: true,
    routerOptions: { ignoreTrailingSlash: false },
  } as const;
  // Fastify types each protocol as a class of its own; the doors use what they share.
  let app: unknown;
  if (tls) {
    const https = {
      allowHTTP1: true,
      cert: tls.cert,
      key: tls.key,
      minVersion: "TLSv1.2" as const,
      ...(tls.clientCa !== undefined && { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
    };
    app = fastify({ ...common, http2: true, https });
  } else {
    app = cleartext === "h2c" ? fastify({ ...common, http2: true }) : fastify(common);
  }
  return app as FastifyInstance<RawServerDefault>;
}

/** The caller's id for this request if it is one that may stand in a log, else a new one. */
function requestId(header: string | string[] | undefined): string {
  return typeof header === "string" && /^[0-9A-Za-z._:-]{1,64}$/.test(header) ? header : randomBase62(20);
}
