import { type ConnectRouter, createConnectRouter, createContextValues } from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { ErrorReason, ServiceError } from "../../errors.ts";
import type { ServiceEvents } from "../../events.ts";
import type { Budget } from "../../lib/budget.ts";
import { after } from "../../lib/clock.ts";
import { takeOver } from "../../lib/http.ts";
import { clientConnection } from "./client-connection.ts";
import { WATCH_UNREADABLE } from "./decode-errors.ts";
import { watchUnwritable } from "./encode-errors.ts";
import { BINARY_OPTIONS, JSON_OPTIONS, READ_MAX_BYTES } from "./fast-path/codecs.ts";
import { answerRefusals } from "./listener-refusals.ts";
import { doorOf, hasOneMessage, received, timeoutOf } from "./received.ts";
import { VISIT, type Visit } from "./visit.ts";
import { asBinary, inText, isWebText } from "./web-text.ts";

export interface PluginOptions {
  /** Bytes that request bodies may take in the whole process. */
  intake: Budget;
  events: Pick<ServiceEvents, "requestRefused" | "answerFailed">;
  /** Answers calls before Connect sees them. */
  fastPath?: preHandlerAsyncHookHandler;
}

type Handler = ConnectRouter["handlers"][number];

/**
 * The RPC routes as a listener's plugin, speaking gRPC, gRPC-Web and Connect. Each listener needs its own. Calls still running
 * `shutdownTimeoutMs` after closing began are ended as unavailable. Connect's own plugin for Fastify answers what it cannot
 * handle with an empty success, and prints it.
 */
export function connectPlugin(
  routes: readonly ((router: ConnectRouter) => void)[],
  shutdownTimeoutMs: number,
  { intake, events, fastPath }: PluginOptions,
): (app: FastifyInstance) => Promise<void> {
  const unwritable = watchUnwritable(events);
  return async (app) => {
    const shutdown = new AbortController();
    app.addHook("preClose", async () => void after(shutdownTimeoutMs, () => shutdown.abort()));
    const router = createConnectRouter({
      acceptCompression: [compressionGzip, compressionBrotli],
      readMaxBytes: READ_MAX_BYTES,
      shutdownSignal: shutdown.signal,
      requestGate(context) {
        WATCH_UNREADABLE.requestGate(context);
        unwritable.requestGate(context);
      },
      interceptors: [...WATCH_UNREADABLE.interceptors, ...unwritable.interceptors],
      jsonOptions: JSON_OPTIONS,
      binaryOptions: BINARY_OPTIONS,
    });
    for (const route of routes) route(router);

    // Bodies are read here and not by Fastify, whatever they say they are.
    app.removeAllContentTypeParsers();
    // Named as well, since Fastify takes every other type apart for each request.
    app.addContentTypeParser([...USUAL_TYPES, "*"], (_request, _payload, done) => done(null));
    answerRefusals(app, events);
    app.addHook("onRequest", async ({ raw: { headers } }) => {
      // One spelling of what Connect takes for JSON; RFC 9110 8.3.1 allows quotes.
      if (QUOTED_JSON.test(headers["content-type"] ?? "")) headers["content-type"] = "application/json";
    });
    if (fastPath) app.addHook("preHandler", fastPath);
    for (const handler of router.handlers) {
      app.all(handler.requestPath, (request, reply) => answer(handler, request, reply, { intake, events }));
    }
  };
}

const USUAL_TYPES = ["application/grpc", "application/grpc+proto", "application/json"];
const QUOTED_JSON = /^application\/json *; *charset *= *"utf-?8" *$/i;

async function answer(
  handler: Handler,
  request: FastifyRequest,
  reply: FastifyReply,
  { intake, events }: Pick<PluginOptions, "intake" | "events">,
): Promise<void> {
  const { raw, id: requestId, peer } = request;
  const { methodKind, name: path } = handler.method;
  let told = false;
  // First, since it may cut a deadline that Connect cannot take.
  const client = clientConnection(reply.raw, timeoutOf(raw.headers));
  const visit: Visit = {
    requestId,
    peer,
    client,
    reading: false,
    reached: false,
    refuse(error) {
      if (told) return;
      told = true;
      events.requestRefused({ door: doorOf(raw.headers), requestId, path, error });
    },
  };
  const body = received(raw, reply.raw, { kind: methodKind, intake, visit });
  const values = createContextValues().set(VISIT, visit);
  const asked = universalRequestFromNodeRequest(raw, reply.raw, undefined, values);
  const text = isWebText(raw.headers);
  if (text) asBinary(asked.header);
  const answered = await handler({ ...asked, body })
    .then((answer) => (text ? inText(answer) : answer))
    .finally(() => {
      // One that goes on reading ends it by itself.
      if (hasOneMessage(methodKind)) client.release();
    });
  if (answered.body === undefined && answered.status >= 400) {
    for (const [name, value] of answered.header ?? []) void reply.header(name, value);
    // Answered and told where all that is not for a door is.
    throw Object.assign(new Error("no protocol for this request"), { statusCode: answered.status });
  }
  if (raw.httpVersionMajor === 1 && !raw.complete) void reply.header("connection", "close");
  // It resolves never, and rejects when the caller leaves or the answer cannot be written.
  universalResponseToNodeResponse(answered, takeOver(reply)).catch((cause: unknown) => {
    if (reply.raw.destroyed || reply.raw.writableEnded) return;
    visit.refuse(new ServiceError(ErrorReason.INTERNAL, "the answer could not be written", { cause }));
    reply.raw.destroy();
  });
}
