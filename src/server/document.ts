import type { FastifyInstance } from "fastify";

/** A document that never changes, as JSON at `path`. */
export function createDocument(path: string, document: unknown) {
  const text = JSON.stringify(document);
  return async (app: FastifyInstance): Promise<void> => {
    app.get(path, (_request, reply) => reply.type("application/json; charset=utf-8").send(text));
  };
}
