import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type MessageShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import {
  codeToHttpStatus,
  contentTypeUnaryJson,
  errorToJsonBytes,
  parseTimeout as parseConnectTimeout,
} from "@connectrpc/connect/protocol-connect";
import {
  contentTypeProto,
  parseTimeout as parseGrpcTimeout,
  setTrailerStatus,
} from "@connectrpc/connect/protocol-grpc";
import { memoizePerObject } from "../../../lib/memoize.ts";
import type { Frames } from "../../body.ts";
import { createFrames, PREFIX_BYTES } from "../frames.ts";
import { assertSparse, BINARY_OPTIONS, JSON_OPTIONS, READ_MAX_BYTES } from "../messages.ts";

/** Reads and writes uncompressed unary calls in one protocol. */
export interface UnaryCodec {
  door: "grpc" | "connect";
  /** Whether the headers announce such a call. */
  accepts(headers: IncomingHttpHeaders, httpVersionMajor: number): boolean;
  /** The caller's deadline, milliseconds from now; `error` for an invalid header. */
  timeout(headers: IncomingHttpHeaders): { timeoutMs?: number; error?: ConnectError | undefined };
  /** Checks a framed body as its chunks arrive; undefined if the protocol has no frames. */
  frames(): Frames | undefined;
  /** Decodes a whole body. Throws if it is not a message. */
  read<D extends DescMessage>(desc: D, body: Buffer): MessageShape<D>;
  writeAnswer<D extends DescMessage>(to: PendingResponse, desc: D, message: MessageShape<D>): void;
  writeError(to: PendingResponse, error: ConnectError): void;
}

/** A response that has not started, HTTP/1.1 or HTTP/2, and the headers already set on it. */
export interface PendingResponse {
  response: ServerResponse;
  headers: Readonly<Record<string, string | number | string[] | undefined>>;
}

const FRAMES = { maxFrames: 1, maxBytes: READ_MAX_BYTES, encoded: false };

/** gRPC over HTTP/2. */
const grpc: UnaryCodec = {
  door: "grpc",
  accepts: ({ "content-type": type, "grpc-encoding": encoding }, httpVersionMajor) =>
    httpVersionMajor === 2 &&
    (type === "application/grpc" || type === contentTypeProto) &&
    (encoding === undefined || encoding === "identity"),
  timeout: ({ "grpc-timeout": timeout }) => parseGrpcTimeout(single(timeout), Number.MAX_SAFE_INTEGER),
  frames: () => createFrames(FRAMES),
  read(desc, body) {
    const message = body.subarray(PREFIX_BYTES);
    assertSparse("binary", message);
    return fromBinary(desc, message, BINARY_OPTIONS);
  },
  writeAnswer({ response, headers }, desc, message) {
    const bytes = toBinary(desc, message);
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(bytes.length, 1);
    response.writeHead(200, { ...headers, "content-type": contentTypeProto });
    response.addTrailers({ "grpc-status": "0" });
    // One write: two are two DATA frames.
    response.end(Buffer.concat([prefix, bytes]));
  },
  writeError({ response, headers }, error) {
    response.writeHead(200, { ...headers, "content-type": contentTypeProto });
    response.addTrailers(trailersOf(error));
    response.end();
  },
};

// perf: docs/performance.md#memoized-encodings
const trailersOf = memoizePerObject((error: ConnectError) =>
  Object.fromEntries(setTrailerStatus(new Headers(), error)),
);

/** Rejects invalid UTF-8: a name with replacement characters in it is a different name. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Connect with JSON, by POST (https://connectrpc.com/docs/protocol#unary-rpcs). */
const json: UnaryCodec = {
  door: "connect",
  accepts: ({ "content-type": type, "content-encoding": encoding }) =>
    type === contentTypeUnaryJson && (encoding === undefined || encoding === "identity"),
  timeout: ({ "connect-timeout-ms": timeout }) =>
    parseConnectTimeout(single(timeout), Number.MAX_SAFE_INTEGER),
  frames: () => undefined,
  read(desc, body) {
    assertSparse("json", body);
    return fromJsonString(desc, utf8.decode(body), { ignoreUnknownFields: true });
  },
  writeAnswer: (to, desc, message) => writeJson(to, 200, toJsonString(desc, message, JSON_OPTIONS)),
  writeError: (to, error) => writeJson(to, codeToHttpStatus(error.code), bytesOf(error)),
};

// perf: docs/performance.md#memoized-encodings
const bytesOf = memoizePerObject((error: ConnectError) => errorToJsonBytes(error, JSON_OPTIONS));

function writeJson({ response, headers }: PendingResponse, status: number, body: string | Uint8Array): void {
  const length = Buffer.byteLength(body);
  response.writeHead(status, { ...headers, "content-type": contentTypeUnaryJson, "content-length": length });
  response.end(body);
}

const CODECS = [grpc, json];

/** The codec for a request that the fast path can handle; undefined for any other. */
export const codecOf = (headers: IncomingHttpHeaders, httpVersionMajor: number): UnaryCodec | undefined =>
  CODECS.find((codec) => codec.accepts(headers, httpVersionMajor));

const single = (header: string | string[] | undefined) => (typeof header === "string" ? header : null);
