import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import type { FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { FaceVerificationService } from "../../../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { IncomingCall } from "../../../calls/call.ts";
import type { Wrapped } from "../../../calls/pipeline.ts";
import { ErrorReason, ServiceError } from "../../../errors.ts";
import type { Methods } from "../../../handlers/service.ts";
import type { Budget } from "../../../lib/budget.ts";
import { readBody } from "../body.ts";
import { type CallSource, incomingCall } from "../call.ts";
import { type ClientConnection, clientConnection } from "../client-connection.ts";
import type { RefusalEvents } from "../decode-errors.ts";
import { type AnswerEvents, UNWRITABLE } from "../encode-errors.ts";
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
  events: RefusalEvents & AnswerEvents;
}

/**
 * A `preHandler` hook for Connect's routes that answers the usual call, whose headers announce one message that is not
 * compressed, and leaves all others to Connect: other encodings and protocols. Connect's streams within streams cost more
 * than all the rest of a call (bench/RESULTS.md).
 */
export function createFastPath(
  { getFaceParams, getResult }: Methods,
  listener: IncomingCall["listener"],
  { intake, events }: FastPathOptions,
): preHandlerAsyncHookHandler {
  const { method } = FaceVerificationService;
  const byPath = new Map<string, Unary>([
    unary(method.getFaceParams, getFaceParams),
    unary(method.getResult, getResult),
  ]);

  return async (request, reply) => {
    const { raw } = request;
    const asked = raw.method === "POST" ? byPath.get(raw.url ?? "") : undefined;
    const wire = asked && codecOf(raw.headers, raw.httpVersionMajor);
    const timeout = wire?.timeout(raw.headers);
    if (!wire || !timeout || timeout.error) return;
    void reply.hijack();
    // From here on, and not from the end of the body, the deadline counts.
    const caller = clientConnection(reply.raw, timeout.timeoutMs);
    const share = intake.open();
    const exchange = { wire, asked, request, reply, listener, caller };
    const refuse = (error: ServiceError) => {
      const { name: path } = asked.method;
      events.requestRefused({ door: wire.door, requestId: request.id, path, error });
      writeError(exchange, error);
    };
    try {
      const limits = { share, caller, frames: wire.frames(), mostBytes: READ_MAX_BYTES + PREFIX_BYTES };
      const message = readMessage(wire, asked, await readBody(raw, limits));
      const response = await answer(message, exchange);
      if (response && !caller.left) wire.writeAnswer(answering(exchange), asked.method.output, response);
    } catch (error) {
      if (error instanceof ServiceError) return refuse(error);
      const { name: path } = asked.method;
      events.answerFailed({ door: wire.door, requestId: request.id, path, error });
      giveUp(exchange);
    } finally {
      share.release();
      caller.release();
    }
  };
}

/** An RPC under its path. Its messages are of its own types, which whoever looks it up by a path cannot know. */
const unary = <Input extends DescMessage, Output extends DescMessage>(
  method: DescMethodUnary<Input, Output>,
  call: Wrapped<Input, Output>,
): [string, Unary] => [createMethodUrl("/", method), { method, call: call as unknown as Unary["call"] }];

/** What the handler says; undefined when it failed, and that is written. */
async function answer(
  message: MessageShape<DescMessage>,
  exchange: Exchange,
): Promise<MessageShape<DescMessage> | undefined> {
  const { wire, asked, request, reply, listener, caller } = exchange;
  const { headers } = request.raw;
  const source: CallSource = {
    door: wire.door,
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    answerHeader: (name, value) => void reply.header(name, value),
    signal: caller.signal,
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
  wire: UnaryCodec;
  asked: Unary;
  request: FastifyRequest;
  reply: FastifyReply;
  listener: IncomingCall["listener"];
  caller: ClientConnection;
}

const answering = ({ reply }: Exchange): Answering => ({ response: reply.raw, headers: reply.getHeaders() });

function writeError(exchange: Exchange, error: ServiceError): void {
  const { wire, request, reply, caller } = exchange;
  if (caller.left) return;
  // What is left of a body that was not read to its end is no request.
  if (request.raw.httpVersionMajor === 1 && !request.raw.complete) void reply.header("connection", "close");
  wire.writeError(answering(exchange), toConnectError(error, request.headers["accept-language"]));
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

function readMessage(wire: UnaryCodec, { method }: Unary, body: Buffer): MessageShape<DescMessage> {
  try {
    return wire.read(method.input, body);
  } catch {
    throw new ServiceError(ErrorReason.MALFORMED_REQUEST, "not a message");
  }
}
