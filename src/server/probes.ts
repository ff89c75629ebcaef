import type { FastifyInstance } from "fastify";

/** Whether the service can do its job now, and if not, why. */
export interface Readiness {
  ready: boolean;
  /** For operators: a word or two. */
  reason: string;
}

export interface ProbesOptions {
  readiness: () => Readiness;
}

/** `/livez`: the process answers. `/readyz`: it should get traffic (Kubernetes' names and meanings). */
export function createProbes({ readiness }: ProbesOptions) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get("/livez", async () => ({ status: "ok" }));
    app.get("/readyz", async (_request, reply) => {
      const { ready, reason } = readiness();
      return reply.code(ready ? 200 : 503).send({ status: ready ? "ok" : "unavailable", reason });
    });
  };
}
