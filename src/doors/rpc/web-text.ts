import type { IncomingHttpHeaders } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { ErrorReason, ServiceError } from "../../errors.ts";
import type { Frames } from "../body.ts";

/**
 * gRPC-Web in Base64 (application/grpc-web-text,
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md), which generated browser clients send by
 * default and Connect does not support: requests are converted to binary gRPC-Web and responses back.
 */
const TEXT = "application/grpc-web-text";
const BINARY = "application/grpc-web+proto";

export const isWebText = ({ "content-type": type = "" }: IncomingHttpHeaders): boolean =>
  type.startsWith(TEXT);

/** Max length of the Base64 of `bytes` bytes; each frame may be padded separately. */
export const textLength = (bytes: number): number => Math.ceil(bytes / 3) * 4 + 4;

/** Decodes a text body to its frames. Throws ServiceError if it is not Base64, and as `frames` does. */
export function fromText(body: Buffer, frames: Frames): Buffer {
  const text = body.toString("latin1");
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/=]*$/.test(text)) {
    throw new ServiceError(ErrorReason.MALFORMED_REQUEST, "not Base64");
  }
  // Parts that were encoded separately each end with their own padding.
  const parts = text.match(/[^=]+=*/g) ?? [];
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part, "base64")));
  frames.push(bytes);
  frames.end();
  return bytes;
}

/** Makes Connect read the request as binary gRPC-Web. */
export const asBinary = (header: Headers): void => header.set("content-type", BINARY);

/** Encodes the response as text; that of a unary call in one chunk, as some clients decode only one. */
export function inText(
  response: UniversalServerResponse,
  kind: DescMethod["methodKind"],
): UniversalServerResponse {
  const encoded = kind === "unary" ? encodedWhole : encodedByMessage;
  const header = new Headers(response.header);
  header.set("content-type", `${TEXT}+proto`);
  return { ...response, header, ...(response.body && { body: encoded(response.body) }) };
}

type Body = NonNullable<UniversalServerResponse["body"]>;

async function* encodedByMessage(body: Body): AsyncGenerator<Uint8Array> {
  for await (const chunk of body as AsyncIterable<Uint8Array>) yield base64(chunk);
}

async function* encodedWhole(body: Body): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  yield base64(Buffer.concat(chunks));
}

const base64 = (bytes: Uint8Array) => Buffer.from(Buffer.from(bytes).toString("base64"));
