import type { IncomingHttpHeaders } from "node:http";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { ErrorReason, ServiceError } from "../../errors.ts";
import type { Frames } from "./frames.ts";

/**
 * gRPC-Web in Base64 (application/grpc-web-text, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md), which
 * browsers' generated clients send by default and Connect does not speak: it is turned into gRPC-Web on the way in, and
 * back on the way out.
 */
const TEXT = "application/grpc-web-text";
const BINARY = "application/grpc-web+proto";

export const isWebText = ({ "content-type": type = "" }: IncomingHttpHeaders): boolean =>
  type.startsWith(TEXT);

/** How long the Base64 of so many bytes may be; each frame may be padded by itself. */
export const textLength = (bytes: number): number => Math.ceil(bytes / 3) * 4 + 4;

/** The frames in a body of text. Throws ServiceError for what is no Base64, and what `frames` throws. */
export function fromText(body: Buffer, frames: Frames): Buffer {
  const text = body.toString("latin1");
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/=]*$/.test(text)) {
    throw new ServiceError(ErrorReason.MALFORMED_REQUEST, "not Base64");
  }
  // Parts that were encoded by themselves end with their own padding.
  const parts = text.match(/[^=]+=*/g) ?? [];
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part, "base64")));
  frames.see(bytes);
  frames.end();
  return bytes;
}

/** Has Connect read the request as gRPC-Web. */
export const asBinary = (header: Headers): void => header.set("content-type", BINARY);

/** The answer in text, in one piece: clients may decode no more than one. */
export function inText(answer: UniversalServerResponse): UniversalServerResponse {
  const header = new Headers(answer.header);
  header.set("content-type", `${TEXT}+proto`);
  return { ...answer, header, ...(answer.body && { body: encoded(answer.body) }) };
}

async function* encoded(body: NonNullable<UniversalServerResponse["body"]>): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  yield Buffer.from(Buffer.concat(chunks).toString("base64"));
}
