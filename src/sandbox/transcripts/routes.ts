import type { FastifyInstance } from "fastify";
import type { BreachLog } from "../vendor/breaches.ts";
import { attemptsOf } from "./attempts.ts";
import type { Transcriber } from "./transcriber.ts";

/** What the console shows of the calls behind an attempt. Without a transcriber there are none. */
export function addTranscripts(
  app: FastifyInstance,
  { transcriber, breaches }: { transcriber: Transcriber | undefined; breaches: BreachLog },
): void {
  app.get("/sandbox/attempts", () => ({ attempts: attemptsOf(transcriber?.list() ?? []) }));

  app.get<{ Params: { id: string } }>("/sandbox/calls/:id", (request, reply) => {
    const id = Number(request.params.id);
    const transcript = transcriber?.find(id);
    if (!transcript) return reply.code(404).send({ code: "404", msg: "this call is not recorded any more" });
    const { call, request: sent, answer = null, signed = null } = transcript;
    return {
      call,
      request: sent,
      answer,
      signed,
      breaches: breaches.list.filter((each) => each.call === id),
    };
  });
}
