import type { FastifyInstance } from "fastify";

/** A document that never changes, as JSON at `path`. */
export function createDocument(path: string, document: unknown) {
  const text = JSON.stringify(document);
  return async (app: FastifyInstance): Promise<void> => {
    app.get(path, (_request, reply) => reply.type("application/json; charset=utf-8").send(text));
  };
}

export interface MetricsRouteOptions {
  /** The text in the format that the `accept` header asks for. */
  render: (accept: string | undefined) => Promise<{ contentType: string; text: string }>;
}

/** `/metrics`, for Prometheus and whatever reads its formats. */
export function createMetricsRoute({ render }: MetricsRouteOptions) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get("/metrics", async ({ headers }, reply) => {
      const { contentType, text } = await render(headers.accept);
      return reply.header("content-type", contentType).send(text);
    });
  };
}
