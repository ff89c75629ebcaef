import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** A backend that uses this sandbox as its vendor, as far as the console needs it. */
export interface ConsoleBackend {
  /** Base URL of the two form routes, without a slash at the end. */
  url: string;
  /** Base URL of its admin listener, where it has one. */
  adminUrl?: string;
  /** How often it renews its token, milliseconds, where that is known. */
  refreshIntervalMs?: number;
  /** Makes its ticket store lose what it holds, where that can be done. */
  dropStore?: () => void;
}

const FORM_ROUTES = ["/get_face_params", "/get_result"];
/** The admin listener's own word on the ticket cache, by Connect's JSON protocol. */
const TICKET_STATUS = "/faceverification.v1.TicketAdminService/TicketStatus";
/** A little longer than the service gives itself, milliseconds. */
const PATIENCE_MS = 20_000;
/** The console asks once a second. */
const PROBE_MS = 1_500;

/**
 * The backend's doors under the sandbox's own address, so that the console's page needs no CORS of the product. Form in,
 * answer out, nothing kept.
 */
export function addPassThrough(app: FastifyInstance, backend: () => ConsoleBackend | undefined): void {
  for (const path of FORM_ROUTES) {
    app.post(path, (request, reply) => passOn(backend(), path, request, reply));
  }

  app.get("/sandbox/backend", async () => {
    const { url, adminUrl, refreshIntervalMs, dropStore } = backend() ?? {};
    const [ready, tickets] = await Promise.all([
      adminUrl && readJson(`${adminUrl}/readyz`),
      adminUrl && readJson(adminUrl + TICKET_STATUS, { method: "POST", body: "{}" }),
    ]);
    return {
      url: url ?? null,
      refresh_interval_ms: refreshIntervalMs ?? null,
      can_drop_store: dropStore !== undefined,
      ready: ready || null,
      tickets: tickets && !("code" in tickets) ? tickets : null,
    };
  });
  app.post("/sandbox/backend/drop_store", () => {
    const { dropStore } = backend() ?? {};
    if (!dropStore) throw new RangeError("this backend's store cannot be dropped from here");
    dropStore();
    return {};
  });
}

async function passOn(
  backend: ConsoleBackend | undefined,
  path: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (!backend)
    return reply.code(404).send({ code: "404", msg: "the sandbox was started without a backend" });
  try {
    const { "content-type": type, "accept-language": language, authorization } = request.headers;
    const answer = await fetch(backend.url + path, {
      method: "POST",
      headers: {
        ...(type && { "content-type": type }),
        ...(language && { "accept-language": language }),
        ...(authorization && { authorization }),
      },
      body: typeof request.body === "string" ? request.body : "",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const text = await answer.text();
    return reply
      .code(answer.status)
      .header("content-type", answer.headers.get("content-type") ?? "text/plain")
      .send(text);
  } catch {
    return reply.code(502).send({ code: "502", msg: "the backend does not answer" });
  }
}

/** The JSON object at a URL, whatever the status; undefined where there is none. */
async function readJson(url: string, init: RequestInit = {}): Promise<object | undefined> {
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(PROBE_MS), ...init });
    const json: unknown = await response.json();
    return typeof json === "object" && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}
