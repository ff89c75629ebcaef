import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import { parseTimeout as parseConnectTimeout } from "@connectrpc/connect/protocol-connect";
import { parseTimeout as parseGrpcTimeout } from "@connectrpc/connect/protocol-grpc";
import { ErrorReason, ServiceError } from "../../errors.ts";
import type { Budget } from "../../lib/budget.ts";
import { LONGEST_TIMER_MS } from "../../lib/deadline.ts";
import { type BodyOptions, type Frames, readBody, readFrames } from "../body.ts";
import { toConnectError } from "./errors.ts";
import { createFrames, PREFIX_BYTES } from "./frames.ts";
import { assertSparse, READ_MAX_BYTES } from "./messages.ts";
import type { Visit } from "./visit.ts";
import { fromText, isWebText, textLength } from "./web-text.ts";

export interface ReceivedOptions {
  kind: DescMethod["methodKind"];
  intake: Budget;
  visit: Visit;
}

/** Max messages in one request stream: each costs a response, and a megabyte can hold 200,000. */
const MAX_MESSAGES = 200;

/**
 * The request body handed to Connect: checked, within the limits for all bodies, and in one chunk if it is a
 * single message, since Connect rescans all chunks for each new one. Throws ConnectError.
 */
export async function* received(
  raw: IncomingMessage,
  response: ServerResponse,
  { kind, intake, visit }: ReceivedOptions,
): AsyncGenerator<Uint8Array> {
  const { headers } = raw;
  const { client } = visit;
  const isSingle = hasOneMessage(kind);
  const share = intake.open();
  response.once("close", () => share.release());
  const limits = { share, signal: client.scope.signal, maxBytes: READ_MAX_BYTES + PREFIX_BYTES };
  const encoded = encodingOf(headers) !== undefined;
  const frames = isFramed(headers)
    ? createFrames({ maxFrames: isSingle ? 1 : MAX_MESSAGES, maxBytes: READ_MAX_BYTES, encoded })
    : undefined;
  visit.reading = true;
  try {
    if (frames && !isSingle) yield* readFrames(raw, { ...limits, frames });
    else {
      const body =
        frames && isWebText(headers)
          ? await readText(raw, limits, frames)
          : await readBody(raw, { ...limits, frames });
      const compressed = frames ? body[0] !== 0 : encoded;
      visit.reading = false;
      if (!compressed) assertReadable(headers, frames ? body.subarray(PREFIX_BYTES) : body);
      yield body;
    }
  } catch (error) {
    share.release();
    visit.refuse(error as ServiceError);
    throw toConnectError(error as ServiceError, headers["accept-language"]);
  } finally {
    // The client may have disconnected while its body was being read.
    if (client.left) share.release();
    if (!isSingle) client.release();
  }
}

/** Whether a request of this kind of RPC is exactly one message. */
const hasOneMessage = (kind: DescMethod["methodKind"]): boolean =>
  kind === "unary" || kind === "server_streaming";

async function readText(
  raw: IncomingMessage,
  limits: Omit<BodyOptions, "frames">,
  frames: Frames,
): Promise<Buffer> {
  const text = await readBody(raw, { ...limits, maxBytes: textLength(limits.maxBytes) });
  return fromText(text, frames);
}

const isFramed = ({ "content-type": type = "" }: IncomingHttpHeaders) =>
  type.startsWith("application/grpc") || type.startsWith("application/connect+");

const isGrpc = ({ "content-type": type = "" }: IncomingHttpHeaders) => type.startsWith("application/grpc");

/** The door of a request, by Connect's name for it. */
export function doorOf(headers: IncomingHttpHeaders): "grpc" | "grpc-web" | "connect" {
  if (!isGrpc(headers)) return "connect";
  return headers["content-type"]?.startsWith("application/grpc-web") ? "grpc-web" : "grpc";
}

/** Applies the fast path's check before parsing; compressed messages cannot be checked. */
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

/**
 * The caller's deadline, milliseconds from now. Rewrites headers beyond the longest timer, since Connect sets
 * one too.
 */
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
