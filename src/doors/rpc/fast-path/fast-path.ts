import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from "fastify";
import type { IncomingCall } from "../../../calls/call.ts";
import type { Implementation } from "../../../calls/implement.ts";
import type { Wrapped } from "../../../calls/pipeline.ts";
import { ErrorReason, ServiceError } from "../../../errors.ts";
import type { ServiceEvents } from "../../../events.ts";
import type { Budget } from "../../../lib/budget.ts";
import { closeIfUnread } from "../../../lib/http.ts";
import { readBody } from "../../body.ts";
import { type CallSource, incomingCall } from "../call.ts";
import { type ClientConnection, clientConnection } from "../client-connection.ts";
import { UNWRITABLE } from "../encode-errors.ts";
import { toConnectError } from "../errors.ts";
import { PREFIX_BYTES } from "../frames.ts";
import { READ_MAX_BYTES } from "../messages.ts";
import { codecOf, type PendingResponse, type UnaryCodec } from "./codecs.ts";

/** A unary RPC and its wrapped handler. */
interface UnaryRpc {
  method: DescMethodUnary;
  call: Wrapped<DescMessage, DescMessage>;
}

export interface FastPathOptions {
  /** Memory budget for request bodies in the whole process. */
  intake: Budget;
  events: Pick<ServiceEvents, "requestRefused" | "answerFailed">;
}

/**
 * The last `onRequest` hook of Connect's routes, before Fastify looks at the body: handles uncompressed unary calls and
 * leaves all other encodings and protocols to Connect.
 * perf: docs/performance.md#fast-path
 */
export function createFastPath(
  { service, methods }: Implementation,
  listener: IncomingCall["listener"],
  { intake, events }: FastPathOptions,
): onRequestHookHandler {
  const byPath = new Map<string, UnaryRpc>();
  for (const method of service.methods) {
    const call = methods[method.localName];
    if (method.methodKind !== "unary" || !call) continue;
    const rpc = { method: method as DescMethodUnary, call: call as UnaryRpc["call"] };
    byPath.set(createMethodUrl("/", method), rpc);
  }

  /** Reads the message, runs the call and writes its response; rejects if none can be written. */
  async function answer(exchange: Exchange): Promise<void> {
    const { codec, rpc, request, client } = exchange;
    const share = intake.open();
    const refuse = (error: ServiceError) => {
      const { name: path } = rpc.method;
      events.requestRefused({ door: codec.door, requestId: request.id, path, error });
      writeError(exchange, error);
    };
    try {
      const { signal } = client.scope;
      const limits = { share, signal, frames: codec.frames(), maxBytes: READ_MAX_BYTES + PREFIX_BYTES };
      const message = readMessage(codec, rpc, await readBody(request.raw, limits));
      const response = await callHandler(message, exchange);
      if (response && !client.left) codec.writeAnswer(pendingResponse(exchange), rpc.method.output, response);
    } catch (error) {
      if (error instanceof ServiceError) return refuse(error);
      const { name: path } = rpc.method;
      events.answerFailed({ door: codec.door, requestId: request.id, path, error });
      abortResponse(exchange);
    } finally {
      share.release();
      client.release();
    }
  }

  return (request, reply, done) => {
    const { raw } = request;
    const rpc = raw.method === "POST" ? byPath.get(raw.url ?? "") : undefined;
    const codec = rpc && codecOf(raw.headers, raw.httpVersionMajor);
    const timeout = codec?.timeout(raw.headers);
    if (!codec || !timeout || timeout.error) return done();
    void reply.hijack();
    // The deadline counts from here, not from the end of the body.
    const client = clientConnection(reply.raw, timeout.timeoutMs);
    const exchange = { codec, rpc, request, reply, listener, client };
    // Not even an error could be written.
    answer(exchange).catch(() => reply.raw.destroy());
  };
}

/** Resolves to the handler's response; undefined if it failed and the error has been written. */
async function callHandler(
  message: MessageShape<DescMessage>,
  exchange: Exchange,
): Promise<MessageShape<DescMessage> | undefined> {
  const { codec, rpc, request, reply, listener, client } = exchange;
  const { headers } = request.raw;
  const source: CallSource = {
    door: codec.door,
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    answerHeader: (name, value) => void reply.header(name, value),
    requestId: request.id,
    peer: request.peer,
    scope: client.scope,
  };
  try {
    return await rpc.call(message, incomingCall(source, listener));
  } catch (error) {
    // The pipeline rejects only with ServiceError, and has reported it.
    writeError(exchange, error as ServiceError);
    return undefined;
  }
}

/** One call and everything needed to respond to it. */
interface Exchange {
  codec: UnaryCodec;
  rpc: UnaryRpc;
  request: FastifyRequest;
  reply: FastifyReply;
  listener: IncomingCall["listener"];
  client: ClientConnection;
}

const pendingResponse = ({ reply }: Exchange): PendingResponse => ({
  response: reply.raw,
  headers: reply.getHeaders(),
});

function writeError(exchange: Exchange, error: ServiceError): void {
  const { codec, request, reply, client } = exchange;
  if (client.left) return;
  closeIfUnread(request.raw, reply);
  codec.writeError(pendingResponse(exchange), toConnectError(error, request.headers["accept-language"]));
}

/**
 * Ends a call whose response could not be written: with an error while the headers are unsent, otherwise by a
 * reset.
 */
function abortResponse(exchange: Exchange): void {
  const { raw } = exchange.reply;
  if (raw.headersSent) raw.destroy();
  else writeError(exchange, UNWRITABLE);
}

function readMessage(codec: UnaryCodec, { method }: UnaryRpc, body: Buffer): MessageShape<DescMessage> {
  try {
    return codec.read(method.input, body);
  } catch {
    throw new ServiceError(ErrorReason.MALFORMED_REQUEST, "not a message");
  }
}
