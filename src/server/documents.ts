import type { FastifyInstance } from "fastify";

/** Serves an immutable document as JSON at `path`. */
export function createDocument(path: string, document: unknown) {
  const text = JSON.stringify(document);
  return async (app: FastifyInstance): Promise<void> => {
    app.get(path, (_request, reply) => reply.type("application/json; charset=utf-8").send(text));
  };
}

export interface MetricsRouteOptions {
  /** Renders the metrics in the format requested by the `accept` header. */
  render: (accept: string | undefined) => Promise<{ contentType: string; text: string }>;
}

/** `/metrics`, for Prometheus and compatible scrapers. */
export function createMetricsRoute({ render }: MetricsRouteOptions) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get("/metrics", async ({ headers }, reply) => {
      const { contentType, text } = await render(headers.accept);
      return reply.header("content-type", contentType).send(text);
    });
  };
}
