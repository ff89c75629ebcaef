import { type ConnectRouter, createConnectRouter, createContextValues } from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from "fastify";
import { ErrorReason, ServiceError } from "../../errors.ts";
import type { ServiceEvents } from "../../events.ts";
import type { Budget } from "../../lib/budget.ts";
import { after } from "../../lib/clock.ts";
import { closeIfUnread, takeOver } from "../../lib/http.ts";
import { clientConnection } from "./client-connection.ts";
import { REWRITE_DECODE_ERRORS } from "./decode-errors.ts";
import { rewriteEncodeErrors } from "./encode-errors.ts";
import { answerRefusals } from "./listener-refusals.ts";
import { BINARY_OPTIONS, JSON_OPTIONS, READ_MAX_BYTES } from "./messages.ts";
import { doorOf, received, timeoutOf } from "./received.ts";
import { VISIT, type Visit } from "./visit.ts";
import { asBinary, inText, isWebText } from "./web-text.ts";

export interface PluginOptions {
  /** Memory budget for request bodies in the whole process. */
  intake: Budget;
  events: Pick<ServiceEvents, "requestRefused" | "answerFailed">;
  /** Handles calls before Connect sees them. */
  fastPath?: onRequestHookHandler;
}

type Handler = ConnectRouter["handlers"][number];

/**
 * The RPC routes as a listener plugin for gRPC, gRPC-Web and Connect; one instance per listener. Calls still
 * running `shutdownTimeoutMs` after closing began end as unavailable. Replaces Connect's own Fastify plugin,
 * which answers requests it cannot handle with an empty success, and prints them.
 */
export function connectPlugin(
  routes: readonly ((router: ConnectRouter) => void)[],
  shutdownTimeoutMs: number,
  { intake, events, fastPath }: PluginOptions,
): (app: FastifyInstance) => Promise<void> {
  const encodeErrors = rewriteEncodeErrors(events);
  return async (app) => {
    const shutdown = new AbortController();
    app.addHook("preClose", async () => void after(shutdownTimeoutMs, () => shutdown.abort()));
    const router = createConnectRouter({
      acceptCompression: [compressionGzip, compressionBrotli],
      readMaxBytes: READ_MAX_BYTES,
      shutdownSignal: shutdown.signal,
      requestGate(context) {
        REWRITE_DECODE_ERRORS.requestGate(context);
        encodeErrors.requestGate(context);
      },
      interceptors: [...REWRITE_DECODE_ERRORS.interceptors, ...encodeErrors.interceptors],
      jsonOptions: JSON_OPTIONS,
      binaryOptions: BINARY_OPTIONS,
    });
    for (const route of routes) route(router);

    // Bodies are read here and not by Fastify, whatever their content type.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _payload, done) => done(null));
    answerRefusals(app, events);
    app.addHook("onRequest", ({ raw: { headers } }, _reply, done) => {
      // Connect accepts only one spelling of JSON's content type; RFC 9110 8.3.1 also allows quotes.
      if (QUOTED_JSON.test(headers["content-type"] ?? "")) headers["content-type"] = "application/json";
      done();
    });
    if (fastPath) app.addHook("onRequest", fastPath);
    for (const handler of router.handlers) {
      app.all(handler.requestPath, (request, reply) => answer(handler, request, reply, { intake, events }));
    }
  };
}

const QUOTED_JSON = /^application\/json *; *charset *= *"utf-?8" *$/i;

async function answer(
  handler: Handler,
  request: FastifyRequest,
  reply: FastifyReply,
  { intake, events }: Pick<PluginOptions, "intake" | "events">,
): Promise<void> {
  const { raw, id: requestId, peer } = request;
  const { methodKind, name: path } = handler.method;
  let reported = false;
  // First, since `timeoutOf` may rewrite a deadline too long for Connect.
  const client = clientConnection(reply.raw, timeoutOf(raw.headers));
  const visit: Visit = {
    requestId,
    peer,
    client,
    reading: false,
    reached: false,
    refuse(error) {
      if (reported) return;
      reported = true;
      events.requestRefused({ door: doorOf(raw.headers), requestId, path, error });
    },
  };
  const body = received(raw, reply.raw, { kind: methodKind, intake, visit });
  const values = createContextValues().set(VISIT, visit);
  const incoming = universalRequestFromNodeRequest(raw, reply.raw, undefined, values);
  const text = isWebText(raw.headers);
  if (text) asBinary(incoming.header);
  const response = await handler({ ...incoming, body })
    .then((binary) => (text ? inText(binary, methodKind) : binary))
    .finally(() => {
      // A client stream is still being read; `received` releases it at its end. The handler of a stream is still running.
      if (methodKind === "unary") client.release();
      if (methodKind === "server_streaming") reply.raw.once("close", () => client.release());
    });
  if (response.body === undefined && response.status >= 400) {
    for (const [name, value] of response.header ?? []) void reply.header(name, value);
    // Handled and reported by the listener, like every request that belongs to no door.
    throw Object.assign(new Error("no protocol for this request"), { statusCode: response.status });
  }
  closeIfUnread(raw, reply);
  // Not awaited: never resolves, and rejects if the caller disconnects or the response cannot be written.
  universalResponseToNodeResponse(response, takeOver(reply)).catch((cause: unknown) => {
    if (reply.raw.destroyed || reply.raw.writableEnded) return;
    visit.refuse(new ServiceError(ErrorReason.INTERNAL, "the answer could not be written", { cause }));
    reply.raw.destroy();
  });
}
