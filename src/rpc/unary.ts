import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import type { FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { ServiceError } from "../errors.ts";
import type { IncomingCall } from "../handlers/call.ts";
import type { Methods } from "../handlers/methods.ts";
import type { Wrapped } from "../handlers/pipeline.ts";
import { type CallSource, incomingCall } from "./call.ts";
import { type Caller, callerOf } from "./caller.ts";
import { connectError } from "./errors.ts";
import { type AnswerEvents, UNWRITABLE } from "./unwritable.ts";
import { READ_MAX_BYTES, type Wire, wireOf } from "./wire.ts";

/** An RPC and what answers it. */
interface Unary {
  method: DescMethodUnary;
  call: Wrapped<DescMessage, DescMessage>;
}

/**
 * A `preHandler` hook for Connect's routes that answers the usual call, which is one message and not compressed, and
 * leaves all others to Connect: other encodings and protocols, what is too large, what cannot be read. Connect's streams
 * within streams cost more than all the rest of a call (bench/RESULTS.md).
 */
export function answerUsual(
  { getFaceParams, getResult }: Methods,
  listener: IncomingCall["listener"],
  events: AnswerEvents,
): preHandlerAsyncHookHandler {
  const { method } = FaceVerificationService;
  const byPath = new Map<string, Unary>([
    unary(method.getFaceParams, getFaceParams),
    unary(method.getResult, getResult),
  ]);

  return async (request, reply) => {
    const { raw } = request;
    const asked = raw.method === "POST" ? byPath.get(raw.url ?? "") : undefined;
    const wire = asked && wireOf(raw.headers, raw.httpVersionMajor);
    const timeout = wire?.timeout(raw.headers);
    const tooLarge = Number(raw.headers["content-length"]) > READ_MAX_BYTES;
    if (!wire || !timeout || timeout.error || tooLarge) return;
    // From here on, and not from the end of the body, the deadline counts.
    const caller = callerOf(reply.raw, timeout.timeoutMs);
    const body = await readBody(raw);
    const message = body.rest ? undefined : readMessage(wire, asked, body.bytes);
    if (message) {
      void reply.hijack();
      await answer(wire, asked, message, { request, reply, listener, caller, events });
    } else {
      caller.release();
      // Connect reads it again from here.
      request.body = replay(body);
    }
  };
}

/** An RPC under its path. Its messages are of its own types, which whoever looks it up by a path cannot know. */
const unary = <Input extends DescMessage, Output extends DescMessage>(
  method: DescMethodUnary<Input, Output>,
  call: Wrapped<Input, Output>,
): [string, Unary] => [createMethodUrl("/", method), { method, call: call as unknown as Unary["call"] }];

async function answer(
  wire: Wire,
  { method, call }: Unary,
  message: MessageShape<DescMessage>,
  { request, reply, listener, caller, events }: Exchange,
): Promise<void> {
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
  const incoming = incomingCall(source, listener);
  const answering = () => ({ response: reply.raw, headers: reply.getHeaders() });
  const refuse = (error: ServiceError) => wire.refuse(answering(), connectError(error, incoming.language));
  try {
    const write = await call(message, incoming).then(
      (response) => () => wire.answer(answering(), method.output, response),
      // The pipeline rejects with nothing else.
      (error: ServiceError) => () => refuse(error),
    );
    if (!caller.left) write();
  } catch (error) {
    events.answerFailed({ door: wire.door, requestId: incoming.requestId, path: method.name, error });
    giveUp(reply.raw, () => refuse(UNWRITABLE));
  } finally {
    caller.release();
  }
}

/** Ends a call that nobody else ends any more: with an error while that can be written, else by cutting it off. */
function giveUp(response: FastifyReply["raw"], refuse: () => void): void {
  try {
    if (!response.headersSent) return refuse();
  } catch {
    // Then not even headers can be written.
  }
  response.destroy();
}

interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
  listener: IncomingCall["listener"];
  caller: Caller;
  events: AnswerEvents;
}

/** What was read of a body; `rest` when there is more than was to be read. */
interface Body {
  bytes: Buffer;
  rest?: Readable;
}

function readBody(source: IncomingMessage): Promise<Body> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > READ_MAX_BYTES) settle({ bytes: Buffer.concat(chunks), rest: source });
    };
    const onEnd = () => settle({ bytes: Buffer.concat(chunks) });
    // Whoever reads on is told why.
    const onBroken = () => settle({ bytes: Buffer.concat(chunks), rest: source });
    function settle(body: Body): void {
      source.pause();
      source.off("data", onData).off("end", onEnd).off("error", onBroken).off("close", onBroken);
      resolve(body);
    }
    source.on("data", onData).on("end", onEnd).on("error", onBroken).on("close", onBroken);
  });
}

async function* replay({ bytes, rest }: Body): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
  if (rest) yield* rest;
}

function readMessage(wire: Wire, { method }: Unary, body: Buffer): MessageShape<DescMessage> | undefined {
  try {
    return wire.read(method.input, body);
  } catch {
    return undefined;
  }
}
