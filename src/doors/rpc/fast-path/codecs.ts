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
import { createFrames, type Frames, PREFIX_BYTES } from "../frames.ts";
import { assertSparse } from "../sparse.ts";

/** Largest request, bytes: a photo of 500 KiB in Base64, and the rest. Connect's own limit is 4 GiB. */
export const READ_MAX_BYTES = 1024 * 1024;
/** In JSON, `livemode: false` and `billed: false` are facts and not defaults to be left out. */
export const JSON_OPTIONS = { alwaysEmitImplicit: true };

/** How a protocol writes the usual unary call: one message, not compressed. */
export interface UnaryCodec {
  door: "grpc" | "connect";
  /** Whether the headers announce the usual call. */
  accepts(headers: IncomingHttpHeaders, httpVersionMajor: number): boolean;
  /** The caller's deadline, milliseconds from now; `error` for a header that is none. */
  timeout(headers: IncomingHttpHeaders): { timeoutMs?: number; error?: ConnectError | undefined };
  /** Follows the body as its chunks come, where it consists of frames. */
  frames(): Frames | undefined;
  /** The message in a whole body. Throws when it is none. */
  read<D extends DescMessage>(desc: D, body: Buffer): MessageShape<D>;
  writeAnswer<D extends DescMessage>(to: Answering, desc: D, message: MessageShape<D>): void;
  writeError(to: Answering, error: ConnectError): void;
}

/** A response that has not begun, of either version of HTTP, and the headers that it already has. */
export interface Answering {
  response: ServerResponse;
  headers: Readonly<Record<string, string | number | string[] | undefined>>;
}

/** Fields that no version of the contract has are skipped: half a million of them fit into a request. */
export const BINARY_OPTIONS = { readUnknownFields: false };
const FRAMES = { most: 1, mostBytes: READ_MAX_BYTES, encoded: false };

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
    response.write(prefix);
    response.end(bytes);
  },
  writeError({ response, headers }, error) {
    response.writeHead(200, { ...headers, "content-type": contentTypeProto });
    response.addTrailers(trailersOf(error));
    response.end();
  },
};

const trailersOf = memoizePerObject((error: ConnectError) =>
  Object.fromEntries(setTrailerStatus(new Headers(), error)),
);

/** Refuses what is not UTF-8, for a name with replacement characters in it is another name. */
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

const bytesOf = memoizePerObject((error: ConnectError) => errorToJsonBytes(error, JSON_OPTIONS));

function writeJson({ response, headers }: Answering, status: number, body: string | Uint8Array): void {
  const length = Buffer.byteLength(body);
  response.writeHead(status, { ...headers, "content-type": contentTypeUnaryJson, "content-length": length });
  response.end(body);
}

const WIRES = [grpc, json];

/** The protocol of a request that is as usual as can be. */
export const codecOf = (headers: IncomingHttpHeaders, httpVersionMajor: number): UnaryCodec | undefined =>
  WIRES.find((wire) => wire.accepts(headers, httpVersionMajor));

const single = (header: string | string[] | undefined) => (typeof header === "string" ? header : null);
