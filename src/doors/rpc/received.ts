import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import { parseTimeout as parseConnectTimeout } from "@connectrpc/connect/protocol-connect";
import { parseTimeout as parseGrpcTimeout } from "@connectrpc/connect/protocol-grpc";
import { ErrorReason, ServiceError } from "../../errors.ts";
import type { Budget } from "../../lib/budget.ts";
import { LONGEST_TIMER_MS } from "../../lib/deadline.ts";
import { type BodyOptions, readBody, readFrames } from "./body.ts";
import { toConnectError } from "./errors.ts";
import { READ_MAX_BYTES } from "./fast-path/codecs.ts";
import { createFrames, type Frames, PREFIX_BYTES } from "./frames.ts";
import { assertSparse } from "./sparse.ts";
import type { Visit } from "./visit.ts";
import { fromText, isWebText, textLength } from "./web-text.ts";

export interface ReceivedOptions {
  kind: DescMethod["methodKind"];
  intake: Budget;
  visit: Visit;
}

/** Most messages of one stream of requests: each costs an answer, and a megabyte can hold 200,000. */
const MOST_MESSAGES = 200;

/**
 * A request's body as Connect is to read it: judged, within the limits of all bodies, and in one piece where it is one
 * message, since Connect looks through all pieces again for each that comes. Throws ConnectError.
 */
export async function* received(
  raw: IncomingMessage,
  response: ServerResponse,
  { kind, intake, visit }: ReceivedOptions,
): AsyncGenerator<Uint8Array> {
  const { headers } = raw;
  const { client } = visit;
  const single = hasOneMessage(kind);
  const share = intake.open();
  response.once("close", () => share.release());
  const limits = { share, signal: client.scope.signal, mostBytes: READ_MAX_BYTES + PREFIX_BYTES };
  const encoded = encodingOf(headers) !== undefined;
  const frames = isFramed(headers)
    ? createFrames({ most: single ? 1 : MOST_MESSAGES, mostBytes: READ_MAX_BYTES, encoded })
    : undefined;
  visit.reading = true;
  try {
    if (frames && !single) yield* readFrames(raw, { ...limits, frames });
    else {
      const body =
        frames && isWebText(headers)
          ? await readText(raw, limits, frames)
          : await readBody(raw, { ...limits, frames });
      const packed = frames ? body[0] !== 0 : encoded;
      visit.reading = false;
      if (!packed) assertReadable(headers, frames ? body.subarray(PREFIX_BYTES) : body);
      yield body;
    }
  } catch (error) {
    share.release();
    visit.refuse(error as ServiceError);
    throw toConnectError(error as ServiceError, headers["accept-language"]);
  } finally {
    // Also when its end came while the body did.
    if (client.left) share.release();
    if (!single) client.release();
  }
}

/** Whether the request of such an RPC is one message. */
export const hasOneMessage = (kind: DescMethod["methodKind"]): boolean =>
  kind === "unary" || kind === "server_streaming";

async function readText(
  raw: IncomingMessage,
  limits: Omit<BodyOptions, "frames">,
  frames: Frames,
): Promise<Buffer> {
  const text = await readBody(raw, { ...limits, mostBytes: textLength(limits.mostBytes), frames: undefined });
  return fromText(text, frames);
}

const isFramed = ({ "content-type": type = "" }: IncomingHttpHeaders) =>
  type.startsWith("application/grpc") || type.startsWith("application/connect+");

const isGrpc = ({ "content-type": type = "" }: IncomingHttpHeaders) => type.startsWith("application/grpc");

/** The door that a request comes by, as Connect calls it. */
export function doorOf(headers: IncomingHttpHeaders): "grpc" | "grpc-web" | "connect" {
  if (!isGrpc(headers)) return "connect";
  return headers["content-type"]?.startsWith("application/grpc-web") ? "grpc-web" : "grpc";
}

/** As the usual call is looked through before it is parsed; what is packed is not. */
function assertReadable({ "content-type": type = "" }: IncomingHttpHeaders, message: Buffer): void {
  try {
    assertSparse(type.includes("json") ? "json" : "binary", message);
  } catch {
    throw new ServiceError(ErrorReason.MALFORMED_REQUEST, "not a message");
  }
}

function encodingOf(headers: IncomingHttpHeaders): string | undefined {
  const connect = isFramed(headers) ? "connect-content-encoding" : "content-encoding";
  const encoding = headers[isGrpc(headers) ? "grpc-encoding" : connect];
  return typeof encoding === "string" && encoding !== "identity" ? encoding : undefined;
}

/** The caller's deadline, milliseconds from now. Headers with a longer time than timers take are cut, for Connect sets one too. */
export function timeoutOf(headers: IncomingHttpHeaders): number | undefined {
  const [name, parse, longest] = isGrpc(headers)
    ? (["grpc-timeout", parseGrpcTimeout, `${Math.floor(LONGEST_TIMER_MS / 1000)}S`] as const)
    : (["connect-timeout-ms", parseConnectTimeout, String(LONGEST_TIMER_MS)] as const);
  const text = headers[name];
  const { timeoutMs, error } = parse(typeof text === "string" ? text : null, Number.MAX_SAFE_INTEGER);
  if (error) return undefined;
  if (timeoutMs !== undefined && timeoutMs > LONGEST_TIMER_MS) headers[name] = longest;
  return timeoutMs;
}
