import type { AddressInfo, Socket } from "node:net";
import type { Server } from "node:tls";
import fastify, {
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
  type RawServerDefault,
} from "fastify";
import { ErrorReason, ServiceError } from "../errors.ts";
import { randomBase62 } from "../lib/base62.ts";
import { BODY_TIMEOUT_MS } from "../lib/budget.ts";
import { isForeign, NO_SCHEMA_COMPILERS } from "../lib/http.ts";
import type { Part } from "../lib/lifecycle.ts";
import type { Peer } from "../lib/peer.ts";
import { hasAuthority } from "./authority.ts";
import { type ClosingOptions, closePromptly, keepAlive } from "./drain.ts";
import { createPeers, type Peers } from "./peers.ts";
import { createRefusals, type RefusalsOptions } from "./refusals.ts";
import { type RefusedClientsOptions, reportRefusedClients } from "./refused-clients.ts";

/** PEM texts. With `clientCa`, only clients with a certificate issued by that authority are admitted. */
export interface Tls {
  cert: string;
  key: string;
  clientCa?: string | undefined;
}

export interface ListenerOptions extends ClosingOptions {
  /** Where to listen; port 0 picks a free port. */
  address: { host: string; port: number };
  /** The protocol without TLS; with TLS, ALPN negotiates HTTP/1.1 or HTTP/2. */
  cleartext: "http1" | "h2c";
  /** Read again by `secure`; whether TLS is used, and client certificates required, is fixed at creation. */
  tls?: (() => Tls | undefined) | undefined;
  /** How long an idle HTTP/1 connection is kept open, milliseconds. */
  keepAliveMs?: number;
  /** Addresses and networks of the proxies whose `x-forwarded-for` is trusted. */
  trustedProxies?: readonly string[];
  /** Called before any of the body is read; rejects with a ServiceError for a peer that exceeds its rate. */
  admit?: ((peer: Peer) => Promise<void>) | undefined;
  /** Keeps out pages of other sites: the host names accepted in addition to those of this machine, or any. */
  hosts?: readonly string[] | "any";
  events: RefusalsOptions["events"] & RefusedClientsOptions["events"];
  /** Routes; plugin objects are not shared by listeners, as the Connect plugin keeps state in its options. */
  plugins: readonly FastifyPluginAsync[];
}

export interface Listener extends Part {
  start(): Promise<void>;
  /** Makes clients connect elsewhere for their next call while still answering; call before `stop`. */
  drain(): void;
  stop(): Promise<void>;
  /** `host:port` with the real port; after `start`. */
  address(): string;
  /** Reloads certificate and key for new connections. */
  secure(): void;
}

const FOREIGN = new ServiceError(ErrorReason.PERMISSION_DENIED, "a page of another site asked");

/** One listening socket and its routes. Every listener of the service is one call of this function. */
export function createListener(options: ListenerOptions): Listener {
  const { address, plugins, clock, events, admit, hosts } = options;
  const refusals = createRefusals({ newId, events });
  const requiresCertificates = options.tls?.()?.clientCa !== undefined;
  const peers = createPeers(options.trustedProxies ?? [], requiresCertificates);
  const app = openApp(options, peers, refusals);
  const connections = closePromptly(app, options);
  keepAlive(app, clock);
  app.decorateRequest("peer");
  reportRefusedClients(app, options);
  let draining = false;

  app.addHook("onRequest", (request, reply, done) => {
    const peer = peers.of(request);
    request.peer = peer;
    void reply.header("x-request-id", request.id);
    // Responses contain orders and people's verdicts, and RFC 9111 lets caches store what a GET returned.
    void reply.header("cache-control", "no-store");
    if (draining && request.raw.httpVersionMajor === 1) void reply.header("connection", "close");
    refusals.watch(request.raw);
    if (!hasAuthority(request.raw)) return void refusals.refuse(request, reply, 400);
    if (hosts && isForeign(request.raw.headers, hosts)) return done(FOREIGN);
    if (!admit) return done();
    admit(peer).then(() => done(), done);
  });
  refusals.register(app);
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
    secure() {
      const tls = options.tls?.();
      if (tls) (app.server as unknown as Server).setSecureContext(secureContext(tls));
    },
  };
}

/**
 * Memory for one HTTP/2 connection, mostly unwritten responses, beyond which Node refuses new calls and,
 * after a hundred refusals, closes the connection. Node's default of 10 MB holds one response with a video of
 * 8 MB.
 */
const SESSION_MIB = 256;

/** Max concurrent calls per HTTP/2 connection, as in Go; a single packet can open a thousand. */
const MAX_STREAMS = 250;
/** Longer than most load balancers' idle timeout (60 s), so that none reuses a connection we are closing. */
const KEEP_ALIVE_MS = 72_000;

function openApp(
  { cleartext, tls: readTls, keepAliveMs = KEEP_ALIVE_MS }: ListenerOptions,
  { trusted }: Peers,
  { refuse, refuseSocket }: ReturnType<typeof createRefusals>,
): FastifyInstance {
  const tls = readTls?.();
  const session = { maxSessionMemory: SESSION_MIB, settings: { maxConcurrentStreams: MAX_STREAMS } };
  // Fastify passes `http` on to node:http2, though its types allow it for HTTP/1 only.
  const h2c = { http2: true, http: session } as const;
  const refuseUrl = (request: FastifyRequest, reply: FastifyReply) =>
    void refuse(request, reply.header("x-request-id", request.id), 400);
  const common = {
    requestIdHeader: false,
    genReqId: ({ headers }: { headers: Record<string, string | string[] | undefined> }) =>
      requestId(headers["x-request-id"]),
    requestTimeout: BODY_TIMEOUT_MS,
    keepAliveTimeout: keepAliveMs,
    // `keepAlive` closes connections with a dead peer; one that is merely idle stays open.
    http2SessionTimeout: 0,
    trustProxy: trusted,
    // Accepted requests are still served; the response announces that the connection closes.
    return503OnClosing: false,
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => refuseSocket(error, socket),
    // For an invalid URL, which no route or hook has seen.
    frameworkErrors: (_error: unknown, request: object, reply: object) =>
      refuseUrl(request as FastifyRequest, reply as FastifyReply),
    routerOptions: { ignoreTrailingSlash: false },
    schemaController: NO_SCHEMA_COMPILERS,
  } as const;
  // Fastify has a separate type per protocol; the doors use what they have in common.
  let app: unknown;
  if (tls) {
    const https = {
      ...session,
      allowHTTP1: true,
      requireHostHeader: false,
      ...secureContext(tls),
      ...(tls.clientCa !== undefined && { requestCert: true, rejectUnauthorized: true }),
    };
    app = fastify({ ...common, http2: true, https });
  } else {
    // `hasAuthority` rejects a missing Host, so that the response has our error format.
    const http = { requireHostHeader: false };
    app = cleartext === "h2c" ? fastify({ ...common, ...h2c }) : fastify({ ...common, http });
  }
  const opened = app as FastifyInstance<RawServerDefault>;
  // Fastify sets neither on a server that speaks both versions.
  Object.assign(opened.server, { requestTimeout: BODY_TIMEOUT_MS, keepAliveTimeout: keepAliveMs });
  opened.removeAllContentTypeParsers();
  return opened;
}

function secureContext({ cert, key, clientCa }: Tls) {
  return { cert, key, minVersion: "TLSv1.2" as const, ...(clientCa !== undefined && { ca: clientCa }) };
}

/** The caller's request id if it is safe to log, else a new one. */
function requestId(header: string | string[] | undefined): string {
  return typeof header === "string" && /^[0-9A-Za-z._:-]{1,64}$/.test(header) ? header : newId();
}

const newId = () => randomBase62(20);
