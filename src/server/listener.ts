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
import { isForeign } from "../lib/foreign.ts";
import { NO_SCHEMA_COMPILERS } from "../lib/http.ts";
import type { Part } from "../lib/lifecycle.ts";
import type { Peer } from "../lib/peer.ts";
import { hasAuthority } from "./authority.ts";
import { type ClosingOptions, closePromptly, keepAlive } from "./drain.ts";
import { createPeers, type Peers } from "./peers.ts";
import { createRefusals, type RefusalsOptions } from "./refusals.ts";
import { type RefusedClientsOptions, tellRefusedClients } from "./refused-clients.ts";

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
  /** Read again by `secure`; whether there is TLS, and whether certificates are asked for, is decided once. */
  tls?: (() => Tls | undefined) | undefined;
  /** How long an idle connection of HTTP/1 is kept, milliseconds. */
  keepAliveMs?: number;
  /** Addresses and networks of the proxies whose `x-forwarded-for` is believed. */
  trustedProxies?: readonly string[];
  /** Asked before anything of a request is read; rejects with a ServiceError for a peer that asks too often. */
  admit?: ((peer: Peer) => Promise<void>) | undefined;
  /** Keeps pages of other sites out: the names by which the listener may be asked besides those of this machine, or any. */
  hosts?: readonly string[] | "any";
  events: RefusalsOptions["events"] & RefusedClientsOptions["events"];
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
  /** Takes up certificate and key again, for the connections to come. */
  secure(): void;
}

const FOREIGN = new ServiceError(ErrorReason.PERMISSION_DENIED, "a page of another site asked");

/** One socket and what it serves. Every listener of the service is one call of this function. */
export function createListener(options: ListenerOptions): Listener {
  const { address, plugins, clock, events, admit, hosts } = options;
  const refusals = createRefusals({ newId, events });
  const asksForCertificates = options.tls?.()?.clientCa !== undefined;
  const peers = createPeers(options.trustedProxies ?? [], asksForCertificates);
  const app = openApp(options, peers, refusals);
  const connections = closePromptly(app, options);
  keepAlive(app, clock);
  app.decorateRequest("peer");
  tellRefusedClients(app, options);
  let draining = false;

  app.addHook("onRequest", (request, reply, done) => {
    const peer = peers.of(request);
    request.peer = peer;
    void reply.header("x-request-id", request.id);
    // Answers name orders and people's verdicts; RFC 9111 lets a cache keep what a GET brought.
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
 * What Node keeps for one HTTP/2 connection before it refuses its next calls, and after a hundred of them closes it: above
 * all answers that are not written yet. Its own limit, 10 MB, is that of one answer with a video of 8 MB.
 */
const SESSION_MIB = 256;

/** Most calls at once on one HTTP/2 connection, which its clients are told, as those of Go have it. A packet can open a thousand. */
const STREAMS = 250;
/** Longer than most balancers keep theirs (60 s), so that none of them uses a connection that is just being closed. */
const KEEP_ALIVE_MS = 72_000;

function openApp(
  { cleartext, tls: readTls, keepAliveMs = KEEP_ALIVE_MS }: ListenerOptions,
  { trusted }: Peers,
  { refuse, refuseSocket }: ReturnType<typeof createRefusals>,
): FastifyInstance {
  const tls = readTls?.();
  const session = { maxSessionMemory: SESSION_MIB, settings: { maxConcurrentStreams: STREAMS } };
  // Fastify hands `http` on to node:http2, though its types know it for HTTP/1 only.
  const h2c = { http2: true, http: session } as const;
  const refuseUrl = (request: FastifyRequest, reply: FastifyReply) =>
    void refuse(request, reply.header("x-request-id", request.id), 400);
  const common = {
    requestIdHeader: false,
    genReqId: ({ headers }: { headers: Record<string, string | string[] | undefined> }) =>
      requestId(headers["x-request-id"]),
    requestTimeout: BODY_TIMEOUT_MS,
    keepAliveTimeout: keepAliveMs,
    // `keepAlive` ends connections whose peer is gone; one that is merely idle stays open.
    http2SessionTimeout: 0,
    trustProxy: trusted,
    // Whoever was let in is served; the answer says that the connection closes.
    return503OnClosing: false,
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => refuseSocket(error, socket),
    // A URL that is none: no route and no hook has seen it.
    frameworkErrors: (_error: unknown, request: object, reply: object) =>
      refuseUrl(request as FastifyRequest, reply as FastifyReply),
    routerOptions: { ignoreTrailingSlash: false },
    schemaController: NO_SCHEMA_COMPILERS,
  } as const;
  // Fastify types each protocol as a class of its own; the doors use what they share.
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
    // A missing Host is refused in our own words.
    const http = { requireHostHeader: false };
    app = cleartext === "h2c" ? fastify({ ...common, ...h2c }) : fastify({ ...common, http });
  }
  const opened = app as FastifyInstance<RawServerDefault>;
  // Of a server that speaks both versions, Fastify sets neither.
  Object.assign(opened.server, { requestTimeout: BODY_TIMEOUT_MS, keepAliveTimeout: keepAliveMs });
  opened.removeAllContentTypeParsers();
  return opened;
}

function secureContext({ cert, key, clientCa }: Tls) {
  return { cert, key, minVersion: "TLSv1.2" as const, ...(clientCa !== undefined && { ca: clientCa }) };
}

/** The caller's id for this request if it is one that may stand in a log, else a new one. */
function requestId(header: string | string[] | undefined): string {
  return typeof header === "string" && /^[0-9A-Za-z._:-]{1,64}$/.test(header) ? header : newId();
}

const newId = () => randomBase62(20);
