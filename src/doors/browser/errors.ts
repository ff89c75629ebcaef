import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { ErrorReason, ServiceError } from "../../errors.ts";
import type { ServiceEvents } from "../../events.ts";
import { asRefusal } from "../refusal.ts";
import { errorPage } from "./pages.ts";
import { languageFor } from "./requests.ts";

export interface BrowserErrorsOptions {
  /** The HTTP status of each reason. */
  statuses: Readonly<Record<ErrorReason, number>>;
  events: Pick<ServiceEvents, "requestRefused" | "answerFailed">;
}

/** Answers failed requests with a page that says no more than what to do. */
export function createErrorAnswers({ statuses, events }: BrowserErrorsOptions) {
  /** Errors of calls, which the pipeline has reported. */
  const reported = new WeakSet<ServiceError>();

  function report(error: ServiceError, request: FastifyRequest, path: string): void {
    if (reported.has(error)) return;
    const facts = { door: "browser", requestId: request.id, path };
    if (error.reason === ErrorReason.INTERNAL) events.answerFailed({ ...facts, error: error.cause ?? error });
    else events.requestRefused({ ...facts, error });
  }

  return {
    /** Waits for a call, whose error needs no other report. */
    async counted<T>(call: Promise<T>): Promise<T> {
      try {
        return await call;
      } catch (error) {
        // The pipeline rejects only with ServiceError.
        reported.add(error as ServiceError);
        throw error;
      }
    },

    answer(error: FastifyError | ServiceError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
      const refusal = asRefusal(error);
      const path = request.routeOptions.url ?? "";
      report(refusal, request, path);
      const { reason, retryAfterMs } = refusal;
      if (retryAfterMs !== undefined) {
        void reply.header("retry-after", String(Math.ceil(retryAfterMs / 1_000)));
      }
      void reply.code(statuses[reason]);
      if (path === "/v/:id/state") return reply.send({ state: "UNKNOWN" });
      const { language } = languageFor(request);
      const isPage = path === "/v/:id";
      const { id = "" } = request.params as { id?: string };
      // Of a request that was refused, the id may be anything.
      const back = !isPage && path.startsWith("/v/:id/") && /^\w+$/.test(id) ? `../${id}` : undefined;
      const depth = isPage ? 0 : Math.max(0, new URL(request.url, "http://x").pathname.split("/").length - 3);
      const root = "../".repeat(depth);
      const page = errorPage(reason, { language, root, back });
      return reply.type("text/html; charset=utf-8").send(page);
    },
  };
}
