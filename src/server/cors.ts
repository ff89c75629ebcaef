import { cors } from "@connectrpc/connect";
import fastifyCors from "@fastify/cors";
import type { FastifyPluginAsync } from "fastify";
import fp from "fastify-plugin";

/** Request and response headers in addition to those of Connect and gRPC-Web. */
const REQUEST_HEADERS = ["authorization", "accept-language", "x-request-id", "x-signature", "traceparent"];
const RESPONSE_HEADERS = ["x-request-id", "traceparent", "retry-after"];
/** How long a browser may cache a preflight response, seconds. */
const MAX_AGE_S = 7_200;

/** Lets pages from these origins call the listener (Fetch standard, CORS); no cookies are involved. */
export const createCors = (origins: readonly string[]): FastifyPluginAsync =>
  fp(async (app) => {
    if (origins.length === 0) return;
    await app.register(fastifyCors, {
      origin: [...origins],
      methods: [...cors.allowedMethods],
      allowedHeaders: [...cors.allowedHeaders, ...REQUEST_HEADERS],
      exposedHeaders: [...cors.exposedHeaders, ...RESPONSE_HEADERS],
      maxAge: MAX_AGE_S,
    });
  });
