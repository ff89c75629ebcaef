import type { FastifyInstance } from "fastify";

/** Whether the service can do its job now, and if not, why. */
export interface Readiness {
  ready: boolean;
  /** For operators: a word or two. */
  reason: string;
}

export interface ProbesOptions {
  readiness: () => Readiness;
  /** Leaves the reason out: for a listener that strangers reach, where balancers see no other. */
  terse?: boolean;
}

/** `/livez`: the process answers. `/readyz`: it should get traffic (Kubernetes' names and meanings). By GET and HEAD. */
export function createProbes({ readiness, terse = false }: ProbesOptions) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get("/livez", async () => ({ status: "ok" }));
    app.get("/readyz", async (_request, reply) => {
      const { ready, reason } = readiness();
      const status = ready ? "ok" : "unavailable";
      return reply.code(ready ? 200 : 503).send(terse ? { status } : { status, reason });
    });
  };
}
