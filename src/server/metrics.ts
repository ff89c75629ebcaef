import type { FastifyInstance } from "fastify";

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
