import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { isForeign, NO_SCHEMA_COMPILERS } from "../lib/http.ts";
import type { ConsoleBackend } from "./controls/backend.ts";
import { addConsole } from "./controls/console.ts";
import type { Faults } from "./controls/faults.ts";
import type { Journal } from "./controls/journal.ts";
import type { createReceiver } from "./controls/receiver.ts";
import { addControls } from "./controls/routes.ts";
import type { Counters } from "./controls/stats.ts";
import { callerOf, exchange, readQuery, sentBy, type VendorHandler } from "./exchange.ts";
import { addPages } from "./pages.ts";
import type { Pairing } from "./pairing/pairing.ts";
import { addPairing, readPrefix } from "./pairing/routes.ts";
import type { Sandbox } from "./sandbox.ts";
import { addTranscripts } from "./transcripts/routes.ts";
import type { Transcriber } from "./transcripts/transcriber.ts";
import type { BreachSource } from "./vendor/breaches.ts";
import type { VendorEdition } from "./vendor/orders.ts";
import { answerQuery } from "./vendor/query.ts";
import type { VendorReply } from "./vendor/reply.ts";
import type { Endpoint, SandboxRequest } from "./vendor/request.ts";
import { playSdk } from "./vendor/sdk.ts";
import type { State } from "./vendor/state.ts";
import { answerAccessToken, answerNonceTicket, answerSignTicket } from "./vendor/tokens.ts";
import { answerUpload, UPLOADS } from "./vendor/upload.ts";
import { answerWebUpload, WEB_UPLOAD } from "./vendor/web-upload.ts";

export interface ServerParts {
  state: State;
  faults: Faults;
  counters: Counters;
  journal: Journal;
  /** Undefined: calls are not recorded. */
  transcriber: Transcriber | undefined;
  receiver: ReturnType<typeof createReceiver>;
  /** The console's backend, once connected. */
  backend: () => ConsoleBackend | undefined;
  /** Host names accepted in addition to those of this machine. */
  hosts: readonly string[];
  /** With it, other machines must be paired; without it, none can reach the sandbox anyway. */
  pairing: Pairing | undefined;
  /** Base URL for other machines. */
  networkUrl: () => string;
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
  [WEB_UPLOAD]: "upload",
  ...Object.fromEntries(Object.values(UPLOADS).map(({ path }) => [path, "upload" as const])),
};

/** The HTTP server: the vendor's paths, /sdk/verify, the controls and the console. */
export function createServer(parts: ServerParts): FastifyInstance {
  const { state, counters, hosts, pairing } = parts;
  const app = fastify({
    forceCloseConnections: true,
    bodyLimit: 32 * 1024 * 1024,
    schemaController: NO_SCHEMA_COMPILERS,
    ...(pairing && { rewriteUrl: readPrefix }),
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

  if (pairing) addPairing(app, pairing, parts.networkUrl);
  else app.route({ method: ["GET", "POST"], url: "/sandbox/pairing", handler: () => ({ open: false }) });

  const vendor =
    (handle: (request: SandboxRequest, state: State) => VendorReply): VendorHandler =>
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
  const webUpload = vendor(answerWebUpload);

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
  app.post(WEB_UPLOAD, (request, reply) => exchange(parts, "upload", webUpload, request, reply));
  app.post(QUERY, (request, reply) => exchange(parts, "query", query, request, reply));
  app.post("/sdk/verify", (request, reply) =>
    exchange(parts, "sdk_verify", (call) => playSdk(call, state), request, reply),
  );
  addPages(app, parts);
  addControls(app, parts);
  addTranscripts(app, { transcriber: parts.transcriber, breaches: state.breaches });
  addConsole(app, parts);
  app.setNotFoundHandler((request, reply) => {
    const endpoint = VENDOR_PATHS[request.url.split("?", 1)[0] ?? ""];
    if (!endpoint) return reply.code(404).send({ code: "404", msg: "no such path" });
    const json = { code: "405", msg: "method not allowed" };
    const answer = { status: 405, contentType: "application/json", body: JSON.stringify(json) };
    state.breaches.add("method_wrong", enterUnhandled(parts, endpoint, request, answer));
    const allowed = endpoint === "upload" || endpoint === "query" ? "POST" : "GET";
    return reply.code(405).header("allow", allowed).send(json);
  });
  return app;
}

/** Enters a call that no handler sees into the journal. */
function enterUnhandled(
  { journal, transcriber }: ServerParts,
  endpoint: Endpoint,
  request: FastifyRequest,
  answer: { status: number; contentType: string; body: string },
): BreachSource {
  const call = journal.enter(endpoint, callerOf(request));
  transcriber?.opened(call, sentBy(request));
  call.status = answer.status;
  transcriber?.answered(call, answer);
  journal.leave(call);
  transcriber?.left(call);
  return call;
}
