import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import type { FastifyInstance } from "fastify";
import { ServiceError } from "../../errors.ts";
import type { ServiceEvents } from "../../events.ts";
import { endTrailersOnly } from "../../lib/http.ts";
import { toConnectError } from "./errors.ts";
import { JSON_OPTIONS } from "./messages.ts";
import { doorOf } from "./received.ts";

/**
 * Writes errors thrown by the listener before the door is reached, such as a rate limit's, in the call's
 * protocol.
 */
export function answerRefusals(app: FastifyInstance, events: Pick<ServiceEvents, "requestRefused">): void {
  app.setErrorHandler((error, request, reply) => {
    if (!(error instanceof ServiceError)) throw error;
    const { "content-type": type = "", "accept-language": language } = request.headers;
    events.requestRefused({ door: doorOf(request.headers), requestId: request.id, path: "", error });
    const connectError = toConnectError(error, language);
    if (error.retryAfterMs !== undefined) {
      void reply.header("retry-after", String(Math.ceil(error.retryAfterMs / 1000)));
    }
    if (!type.startsWith("application/grpc")) {
      const body = Buffer.from(errorToJsonBytes(connectError, JSON_OPTIONS));
      return reply.code(codeToHttpStatus(connectError.code)).type("application/json").send(body);
    }
    return endTrailersOnly(reply, type, Object.fromEntries(setTrailerStatus(new Headers(), connectError)));
  });
}
