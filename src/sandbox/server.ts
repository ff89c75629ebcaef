import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { isForeign, NO_SCHEMA_COMPILERS } from "../lib/http.ts";
import { answer, type FaultableConnection, type PreparedAnswer } from "./controls/apply-fault.ts";
import type { ConsoleBackend } from "./controls/backend.ts";
import { addConsole } from "./controls/console.ts";
import type { Faults } from "./controls/faults.ts";
import type { Journal } from "./controls/journal.ts";
import type { createReceiver } from "./controls/receiver.ts";
import { addControls } from "./controls/routes.ts";
import type { Counters } from "./controls/stats.ts";
import type { Sandbox } from "./sandbox.ts";
import type { VendorEdition } from "./vendor/orders.ts";
import { answerQuery } from "./vendor/query.ts";
import type { VendorReply } from "./vendor/reply.ts";
import type { Endpoint, SandboxRequest } from "./vendor/request.ts";
import { playSdk } from "./vendor/sdk.ts";
import type { State } from "./vendor/state.ts";
import { answerAccessToken, answerNonceTicket, answerSignTicket } from "./vendor/tokens.ts";
import { answerUpload, UPLOADS } from "./vendor/upload.ts";

export interface ServerParts {
  state: State;
  faults: Faults;
  counters: Counters;
  journal: Journal;
  receiver: ReturnType<typeof createReceiver>;
  /** The console's backend, once connected. */
  backend: () => ConsoleBackend | undefined;
  /** Host names accepted in addition to those of this machine. */
  hosts: readonly string[] | "any";
  /** Latency of every call, milliseconds of sandbox time. */
  latencyMs: () => number;
  /** Operated by the controls at /sandbox/. */
  sandbox: Sandbox;
  stopping: AbortSignal;
}

const TOKEN = "/api/oauth2/access_token";
const TICKET = "/api/oauth2/api_ticket";
const QUERY = "/api/v2/base/queryfacerecord";

const VENDOR_PATHS: Readonly<Partial<Record<string, Endpoint>>> = {
  [TOKEN]: "access_token",
  [TICKET]: "sign_ticket",
  [QUERY]: "query",
  ...Object.fromEntries(Object.values(UPLOADS).map(({ path }) => [path, "upload" as const])),
};

type Handler = (request: SandboxRequest) => PreparedAnswer;

/** The HTTP server: the vendor's paths, /sdk/verify, the controls and the console. */
export function createServer(parts: ServerParts): FastifyInstance {
  const { state, counters, hosts } = parts;
  const app = fastify({
    forceCloseConnections: true,
    bodyLimit: 32 * 1024 * 1024,
    schemaController: NO_SCHEMA_COMPILERS,
  });
  // Every body is read as text: the handlers judge the content type.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));

  app.addHook("onRequest", async ({ headers, routeOptions }, reply) => {
    // A page of another site must not call the vendor's paths or the controls, or start a verification.
    const simple =
      routeOptions.url?.startsWith("/sandbox/") && headers["content-type"]?.startsWith("text/plain");
    if (isForeign(headers, hosts))
      return reply.code(403).send({ code: "403", msg: "only from this machine" });
    if (simple) return reply.code(415).send({ code: "415", msg: "send application/json" });
  });

  const vendor =
    (handle: (request: SandboxRequest, state: State) => VendorReply): Handler =>
    (request) => {
      const json = handle(request, state);
      counters.answered(request.endpoint, json.code);
      if (request.endpoint === "access_token" && json.code === "0") counters.tokenIssued(state.clock.now());
      return { status: 200, json };
    };
  const token = vendor(answerAccessToken);
  const signTicket = vendor(answerSignTicket);
  const nonceTicket = vendor(answerNonceTicket);
  const query = vendor(answerQuery);

  app.get(TOKEN, (request, reply) => exchange(parts, "access_token", token, request, reply));
  app.get(TICKET, (request, reply) =>
    readQuery(request)["type"] === "NONCE"
      ? exchange(parts, "nonce_ticket", nonceTicket, request, reply)
      : exchange(parts, "sign_ticket", signTicket, request, reply),
  );
  for (const edition of Object.keys(UPLOADS) as VendorEdition[]) {
    const upload = vendor((request) => answerUpload(edition, request, state));
    app.post(UPLOADS[edition].path, (request, reply) => exchange(parts, "upload", upload, request, reply));
  }
  app.post(QUERY, (request, reply) => exchange(parts, "query", query, request, reply));
  app.post("/sdk/verify", (request, reply) =>
    exchange(parts, "sdk_verify", (call) => playSdk(call, state), request, reply),
  );
  addControls(app, parts);
  addConsole(app, parts);
  app.setNotFoundHandler((request, reply) => {
    const endpoint = VENDOR_PATHS[request.url.split("?", 1)[0] ?? ""];
    if (!endpoint) return reply.code(404).send({ code: "404", msg: "no such path" });
    state.breaches.add("method_wrong", endpoint, readRequest(endpoint, request).caller);
    const allowed = endpoint === "upload" || endpoint === "query" ? "POST" : "GET";
    return reply.code(405).header("allow", allowed).send({ code: "405", msg: "method not allowed" });
  });
  return app;
}

async function exchange(
  { state, faults, counters, journal, latencyMs, stopping }: ServerParts,
  endpoint: Endpoint,
  handle: Handler,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const call = readRequest(endpoint, request);
  const { inFlight, leave } = counters.enter(endpoint);
  if (inFlight > 1 && endpoint === "access_token")
    state.breaches.add("overlapping_refresh", endpoint, call.caller);
  if (inFlight > 1 && endpoint === "sign_ticket")
    state.breaches.add("overlapping_sign_ticket", endpoint, call.caller);
  const entry = journal.enter(endpoint, call.caller);
  const left = new AbortController();
  // A call whose caller has disconnected is no longer in flight.
  reply.raw.once("close", () => {
    leave();
    journal.leave(entry);
    left.abort(new Error("the caller left"));
  });
  const wire = createWire(reply, leave, left.signal, stopping);
  try {
    const delayMs = latencyMs();
    if (delayMs > 0) await state.clock.sleep(delayMs, wire.gone);
    const fault = faults.take(endpoint);
    if (fault) entry.fault = fault.kind;
    const work = () => {
      const answered = handle(call);
      const { code } = answered.json as { code?: string };
      if (code !== undefined) entry.code = code;
      return answered;
    };
    await answer(fault, work, wire, state.clock);
  } catch (error) {
    leave();
    if (!left.signal.aborted && !stopping.aborted) throw error;
    reply.hijack();
    reply.raw.destroy();
  }
  return reply;
}

function createWire(
  reply: FastifyReply,
  leave: () => void,
  left: AbortSignal,
  stopping: AbortSignal,
): FaultableConnection {
  return {
    stopping,
    // Combined on demand: most calls end at once, and `stopping` outlives them all.
    get gone() {
      return AbortSignal.any([left, stopping]);
    },
    send(status, contentType, body) {
      // Before the response is sent: the caller's next call may arrive before this connection closes.
      leave();
      void reply.code(status).header("content-type", contentType).send(body);
    },
    reset() {
      reply.hijack();
      reply.raw.socket?.resetAndDestroy();
    },
    truncate(contentType, body) {
      reply.hijack();
      const bytes = Buffer.from(body);
      reply.raw.writeHead(200, { "content-type": contentType, "content-length": bytes.length });
      reply.raw.write(bytes.subarray(0, bytes.length >> 1), () => reply.raw.destroy());
    },
  };
}

function readRequest(endpoint: Endpoint, request: FastifyRequest): SandboxRequest {
  const { headers, body, ip, socket } = request;
  const named = headers["x-sandbox-caller"];
  return {
    endpoint,
    query: readQuery(request),
    body: typeof body === "string" ? body : "",
    contentType: headers["content-type"] ?? "",
    caller: typeof named === "string" ? named : `${ip}:${socket.remotePort}`,
  };
}

function readQuery(request: FastifyRequest): SandboxRequest["query"] {
  return request.query as SandboxRequest["query"];
}
