import { cors } from "@connectrpc/connect";
import fastifyCors from "@fastify/cors";
import type { FastifyPluginAsync } from "fastify";
import fp from "fastify-plugin";

/** Headers of our own besides those of Connect and gRPC-Web. */
const ASKED = ["authorization", "accept-language", "x-request-id", "x-signature", "traceparent"];
const ANSWERED = ["x-request-id", "traceparent", "retry-after"];
/** How long a browser need not ask again, seconds. */
const MAX_AGE_S = 7_200;

/** Lets pages of these origins call the listener from a browser (Fetch standard, CORS); no cookies are involved. */
export const createCors = (origins: readonly string[]): FastifyPluginAsync =>
  fp(async (app) => {
    if (origins.length === 0) return;
    await app.register(fastifyCors, {
      origin: [...origins],
      methods: [...cors.allowedMethods],
      allowedHeaders: [...cors.allowedHeaders, ...ASKED],
      exposedHeaders: [...cors.exposedHeaders, ...ANSWERED],
      maxAge: MAX_AGE_S,
    });
  });
