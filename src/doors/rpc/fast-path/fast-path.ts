import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import type { FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import type { IncomingCall } from "../../../calls/call.ts";
import type { Implementation } from "../../../calls/implement.ts";
import type { Wrapped } from "../../../calls/pipeline.ts";
import { ErrorReason, ServiceError } from "../../../errors.ts";
import type { ServiceEvents } from "../../../events.ts";
import type { Budget } from "../../../lib/budget.ts";
import { readBody } from "../body.ts";
import { type CallSource, incomingCall } from "../call.ts";
import { type ClientConnection, clientConnection } from "../client-connection.ts";
import { UNWRITABLE } from "../encode-errors.ts";
import { toConnectError } from "../errors.ts";
import { PREFIX_BYTES } from "../frames.ts";
import { type Answering, codecOf, READ_MAX_BYTES, type UnaryCodec } from "./codecs.ts";

/** An RPC and what answers it. */
interface Unary {
  method: DescMethodUnary;
  call: Wrapped<DescMessage, DescMessage>;
}

export interface FastPathOptions {
  /** Bytes that request bodies may take in the whole process. */
  intake: Budget;
  events: Pick<ServiceEvents, "requestRefused" | "answerFailed">;
}

/**
 * A `preHandler` hook for Connect's routes that answers the usual call, whose headers announce one message that is not
 * compressed, and leaves all others to Connect: other encodings and protocols. Connect's streams within streams cost more
 * than all the rest of a call (bench/RESULTS.md).
 */
export function createFastPath(
  { service, methods }: Implementation,
  listener: IncomingCall["listener"],
  { intake, events }: FastPathOptions,
): preHandlerAsyncHookHandler {
  const byPath = new Map<string, Unary>();
  for (const method of service.methods) {
    const call = methods[method.localName];
    if (method.methodKind !== "unary" || !call) continue;
    byPath.set(createMethodUrl("/", method), { method: method as DescMethodUnary, call });
  }

  return async (request, reply) => {
    const { raw } = request;
    const asked = raw.method === "POST" ? byPath.get(raw.url ?? "") : undefined;
    const codec = asked && codecOf(raw.headers, raw.httpVersionMajor);
    const timeout = codec?.timeout(raw.headers);
    if (!codec || !timeout || timeout.error) return;
    void reply.hijack();
    // From here on, and not from the end of the body, the deadline counts.
    const client = clientConnection(reply.raw, timeout.timeoutMs);
    const share = intake.open();
    const exchange = { codec, asked, request, reply, listener, client };
    const refuse = (error: ServiceError) => {
      const { name: path } = asked.method;
      events.requestRefused({ door: codec.door, requestId: request.id, path, error });
      writeError(exchange, error);
    };
    try {
      const { signal } = client.scope;
      const limits = { share, signal, frames: codec.frames(), mostBytes: READ_MAX_BYTES + PREFIX_BYTES };
      const message = readMessage(codec, asked, await readBody(raw, limits));
      const response = await answer(message, exchange);
      if (response && !client.left) codec.writeAnswer(answering(exchange), asked.method.output, response);
    } catch (error) {
      if (error instanceof ServiceError) return refuse(error);
      const { name: path } = asked.method;
      events.answerFailed({ door: codec.door, requestId: request.id, path, error });
      giveUp(exchange);
    } finally {
      share.release();
      client.release();
    }
  };
}

/** What the handler says; undefined when it failed, and that is written. */
async function answer(
  message: MessageShape<DescMessage>,
  exchange: Exchange,
): Promise<MessageShape<DescMessage> | undefined> {
  const { codec, asked, request, reply, listener, client } = exchange;
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
    return await asked.call(message, incomingCall(source, listener));
  } catch (error) {
    // The pipeline rejects with nothing else, and has told it.
    writeError(exchange, error as ServiceError);
    return undefined;
  }
}

/** One call and all that it takes to answer it. */
interface Exchange {
  codec: UnaryCodec;
  asked: Unary;
  request: FastifyRequest;
  reply: FastifyReply;
  listener: IncomingCall["listener"];
  client: ClientConnection;
}

const answering = ({ reply }: Exchange): Answering => ({ response: reply.raw, headers: reply.getHeaders() });

function writeError(exchange: Exchange, error: ServiceError): void {
  const { codec, request, reply, client } = exchange;
  if (client.left) return;
  // What is left of a body that was not read to its end is no request.
  if (request.raw.httpVersionMajor === 1 && !request.raw.complete) void reply.header("connection", "close");
  codec.writeError(answering(exchange), toConnectError(error, request.headers["accept-language"]));
}

/** Ends a call that nothing else ends any more: with an error while that can be written, else by cutting it off. */
function giveUp(exchange: Exchange): void {
  const { raw } = exchange.reply;
  try {
    if (!raw.headersSent) return writeError(exchange, UNWRITABLE);
  } catch {
    // Then not even headers can be written.
  }
  raw.destroy();
}

function readMessage(codec: UnaryCodec, { method }: Unary, body: Buffer): MessageShape<DescMessage> {
  try {
    return codec.read(method.input, body);
  } catch {
    throw new ServiceError(ErrorReason.MALFORMED_REQUEST, "not a message");
  }
}
