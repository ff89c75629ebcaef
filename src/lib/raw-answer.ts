import type { FastifyReply } from "fastify";

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
