import type { FastifyInstance } from "fastify";

/** Whether the service can serve calls now, and if not, why. */
export interface Readiness {
  ready: boolean;
  /** For operators: a word or two. */
  reason: string;
}

/** How the last refresh of the tickets ended; safe to expose. */
export interface LastRefresh {
  outcome: string;
  /** The endpoint and code of the call that failed. */
  error?: string | undefined;
  agoMs: number;
}

export interface ProbesOptions {
  readiness: () => Readiness;
  /** Undefined until one has ended. */
  lastRefresh: () => LastRefresh | undefined;
  /** Omits reasons: for a public listener, which may be the only one that load balancers can reach. */
  terse?: boolean;
}

/**
 * `/livez`: the process responds. `/readyz`: it should get traffic (names and meanings as in Kubernetes);
 * after a failed refresh also how it failed. By GET and HEAD.
 */
export function createProbes({ readiness, lastRefresh, terse = false }: ProbesOptions) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get("/livez", async () => ({ status: "ok" }));
    app.get("/readyz", async (_request, reply) => {
      const { ready, reason } = readiness();
      const status = ready ? "ok" : "unavailable";
      void reply.code(ready ? 200 : 503);
      if (terse) return { status };
      const { outcome, error, agoMs = 0 } = lastRefresh() ?? {};
      const failed = outcome !== undefined && outcome !== "ok";
      return {
        status,
        reason,
        ...(failed && { last_refresh: { outcome, error, seconds_ago: Math.round(agoMs / 1000) } }),
      };
    });
  };
}
