import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { isIP } from "node:net";
import type { FastifyReply } from "fastify";
import { type CallScope, openScope } from "./deadline.ts";

/**
 * The token of an `Authorization: Bearer` header (RFC 6750 2.1); undefined without a header, and "" for a header without
 * a bearer token, which still counts as a credential.
 */
export const bearerToken = (authorization: string | undefined): string | undefined =>
  authorization === undefined ? undefined : (/^bearer +(\S+)$/i.exec(authorization)?.[1] ?? "");

function refuse(): never {
  throw new Error("no route here has a JSON schema");
}

/**
 * For Fastify's `schemaController`: none of our routes has a schema, yet by default every start loads Ajv and the serializer
 * compiler, over a hundred files.
 * perf: docs/performance.md#no-schema-compilers
 */
export const NO_SCHEMA_COMPILERS = {
  compilersFactory: { buildValidator: refuse, buildSerializer: refuse },
} as const;

/** The stream of an HTTP/2 request; undefined on HTTP/1. */
export const streamOf = (request: IncomingMessage): ServerHttp2Stream | undefined =>
  (request as { stream?: ServerHttp2Stream }).stream;

/** Whether the client aborted its request; an HTTP/2 stream that was reset ends like a complete one. */
export const hasLeft = (request: IncomingMessage): boolean =>
  request.aborted || (streamOf(request)?.rstCode ?? 0) !== 0;

/** Closes the HTTP/1 connection after the answer if the body was not read to its end: its rest must not be parsed as the next request. */
export function closeIfUnread(request: IncomingMessage, reply: FastifyReply): void {
  if (request.httpVersionMajor === 1 && !request.complete) void reply.header("connection", "close");
}

/** The lifetime of a call that Fastify answers: ends with `left()` if the client disconnects before it has the whole answer. */
export function scopeOf({ raw }: FastifyReply, left: () => Error): CallScope {
  const scope = openScope();
  raw.once("close", () => {
    scope.release();
    if (!raw.writableFinished) scope.end(left());
  });
  return scope;
}

type Raw = FastifyReply["raw"];

/**
 * Hijacks the reply: sets its headers, and `more`, on the raw response, which the caller then writes. Not by `writeHead`,
 * whose headers do not end the stream: gRPC clients read a status only from headers that do.
 */
export function takeOver(reply: FastifyReply, more: Readonly<Record<string, string>> = {}): Raw {
  const { raw } = reply.hijack();
  for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...more })) {
    if (value !== undefined) raw.setHeader(name, value);
  }
  return raw;
}

/**
 * Ends a failed gRPC or gRPC-Web call with headers alone: Trailers-Only,
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

/**
 * Whether a browser sent this request for a page of another site: directly, which `Origin` shows (RFC 6454), or by DNS
 * rebinding, where the page's own host name resolves to this machine and appears in `Host`. Other clients send no `Origin`
 * and connect by address or by a name of this machine.
 *
 * @param names host names accepted besides addresses and `localhost`, in lower case; `any` where a rebound name gives a page
 * access to nothing that it could not reach anyway.
 */
export function isForeign(headers: IncomingHttpHeaders, names: readonly string[] | "any"): boolean {
  const { origin, host = headers[":authority"] } = headers;
  // Browsers always send it; HTTP/1.0 clients may not.
  if (typeof host !== "string") return origin !== undefined;
  const target = URL.parse(`http://${host}`);
  if (!target || (origin !== undefined && URL.parse(origin)?.host !== target.host)) return true;
  const name = target.hostname.replace(/^\[|\]$/g, "");
  // An address needs no DNS lookup, so it cannot have been rebound.
  return names !== "any" && isIP(name) === 0 && !/(^|\.)localhost$/.test(name) && !names.includes(name);
}
