import type { FastifyInstance } from "fastify";

/** Whether the service can do its job now, and if not, why. */
export interface Readiness {
  ready: boolean;
  /** For operators: a word or two. */
  reason: string;
}

/** How the last refresh of the tickets ended: words that may be told. */
export interface LastRefresh {
  outcome: string;
  /** The call that failed, by its endpoint and code. */
  error?: string | undefined;
  agoMs: number;
}

export interface ProbesOptions {
  readiness: () => Readiness;
  /** Undefined while none has ended. */
  lastRefresh: () => LastRefresh | undefined;
  /** Leaves reasons out: for a listener that strangers reach, where balancers see no other. */
  terse?: boolean;
}

/**
 * `/livez`: the process answers. `/readyz`: it should get traffic (Kubernetes' names and meanings), and after a refresh that
 * failed, how it did. By GET and HEAD.
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
