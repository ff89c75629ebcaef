import type { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { FastifyReply } from "fastify";

/**
 * The token of an `Authorization: Bearer` header (RFC 6750 2.1); "" for a header that holds none, which is a credential
 * all the same, and undefined without a header.
 */
export const bearerToken = (authorization: string | undefined): string | undefined =>
  authorization === undefined ? undefined : (/^bearer +(\S+)$/i.exec(authorization)?.[1] ?? "");

function refuse(): never {
  throw new Error("no route here has a JSON schema");
}

/**
 * For Fastify's `schemaController`. Without it, every start loads Ajv and its like, over a hundred files, to compile the
 * schemas of routes; none of ours has one.
 */
export const NO_SCHEMA_COMPILERS = {
  compilersFactory: { buildValidator: refuse, buildSerializer: refuse },
} as const;

/** The stream of a request of HTTP/2. */
export const streamOf = (request: IncomingMessage): ServerHttp2Stream | undefined =>
  (request as { stream?: ServerHttp2Stream }).stream;

/** Whether a caller has broken off its request: a stream of HTTP/2 that is reset ends like one that is complete. */
export const hasLeft = (request: IncomingMessage): boolean =>
  request.aborted || (streamOf(request)?.rstCode ?? 0) !== 0;

type Raw = FastifyReply["raw"];

/**
 * Takes an answer out of Fastify's hands: its headers, and `more`, are set on the raw response, which is the caller's to write.
 * Not by `writeHead`: headers given to it would not end a stream, and gRPC clients look for a status in those only that do.
 */
export function takeOver(reply: FastifyReply, more: Readonly<Record<string, string>> = {}): Raw {
  const { raw } = reply.hijack();
  for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...more })) {
    if (value !== undefined) raw.setHeader(name, value);
  }
  return raw;
}

/**
 * A failed call of gRPC or gRPC-Web in headers that end the stream: Trailers-Only,
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md,
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md.
 */
export function endTrailersOnly(
  reply: FastifyReply,
  contentType: string,
  trailers: Readonly<Record<string, string>>,
): FastifyReply {
  const raw = takeOver(reply, { ...trailers, "content-type": contentType });
  raw.statusCode = 200;
  raw.end();
  return reply;
}
