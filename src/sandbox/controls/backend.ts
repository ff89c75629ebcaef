import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { callerOf, sentBy } from "../exchange.ts";
import { POLL_ID } from "../terminal.ts";
import type { Transcriber } from "../transcripts/transcriber.ts";
import { readJsonObject } from "../vendor/request.ts";
import { type Journal, PROXIED } from "./journal.ts";

/** A backend that uses this sandbox as its vendor, as needed by the console. */
export interface ConsoleBackend {
  /** Base URL of the two form routes, without a trailing slash. */
  url: string;
  /** Base URL of its gRPC listener, in clear text, if it has one. */
  grpcUrl?: string;
  /** Base URL of its admin listener, if it has one. */
  adminUrl?: string;
  /** How often it renews its token, milliseconds, if known. */
  refreshIntervalMs?: number;
  /** Makes its ticket store lose its contents, if possible. */
  dropStore?: () => void;
}

/** The admin listener's status of the ticket cache, by Connect's JSON protocol. */
const TICKET_STATUS = "/faceverification.v1.TicketAdminService/TicketStatus";
/** A little longer than the service's own deadline, milliseconds. */
const TIMEOUT_MS = 20_000;
/** Timeout of a status request, milliseconds; the console sends one every second. */
export const PROBE_MS = 1_500;

/**
 * Proxies the backend's form routes at the sandbox's own address, so that the console's page does not need
 * the product to allow CORS.
 */
export function addPassThrough(app: FastifyInstance, parts: PassThroughParts): void {
  const { backend } = parts;
  for (const name of PROXIED) app.post(`/${name}`, (request, reply) => record(parts, name, request, reply));

  app.get("/sandbox/backend", async () => {
    const { url, adminUrl, refreshIntervalMs, dropStore } = backend() ?? {};
    const [ready, tickets] = await Promise.all([
      adminUrl && readJson(`${adminUrl}/readyz`),
      adminUrl && askRpc(adminUrl + TICKET_STATUS, {}),
    ]);
    return {
      url: url ?? null,
      refresh_interval_ms: refreshIntervalMs ?? null,
      can_drop_store: dropStore !== undefined,
      ready: ready || null,
      tickets: tickets || null,
    };
  });
  app.post("/sandbox/backend/drop_store", () => {
    const { dropStore } = backend() ?? {};
    if (!dropStore) throw new RangeError("this backend's store cannot be dropped from here");
    dropStore();
    return {};
  });
}

interface PassThroughParts {
  backend: () => ConsoleBackend | undefined;
  journal: Journal;
  transcriber: Transcriber | undefined;
}

/** Passes a request on, and enters it with its answer into the journal. */
async function record(
  { backend, journal, transcriber }: PassThroughParts,
  name: (typeof PROXIED)[number],
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const call = journal.enter(name, callerOf(request));
  transcriber?.opened(call, sentBy(request));
  const { status, contentType, body } = await passOn(backend(), `/${name}`, request);
  const { code } = readJsonObject(body) ?? {};
  call.status = status;
  // Old demos answer with a number.
  if (typeof code === "string" || typeof code === "number") call.code = String(code);
  transcriber?.answered(call, { status, contentType, body });
  journal.leave(call);
  transcriber?.left(call);
  return reply.code(status).header("content-type", contentType).send(body);
}

interface Answer {
  status: number;
  contentType: string;
  body: string;
}

const refusal = (status: number, msg: string): Answer => ({
  status,
  contentType: "application/json",
  body: JSON.stringify({ code: String(status), msg }),
});

async function passOn(
  backend: ConsoleBackend | undefined,
  path: string,
  request: FastifyRequest,
): Promise<Answer> {
  if (!backend) return refusal(404, "the sandbox was started without a backend");
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
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const contentType = answer.headers.get("content-type") ?? "text/plain";
    return { status: answer.status, contentType, body: await answer.text() };
  } catch {
    return refusal(502, "the backend does not answer");
  }
}

/** An RPC's response by Connect's JSON protocol; undefined for any failure. */
export async function askRpc(url: string, message: object): Promise<Record<string, unknown> | undefined> {
  return readJson(url, { method: "POST", body: JSON.stringify(message) }, ({ ok }) => ok);
}

/** The JSON object at a URL, by default whatever the status; undefined if there is none. */
async function readJson(
  url: string,
  init: RequestInit = {},
  expected?: (response: Response) => boolean,
): Promise<Record<string, unknown> | undefined> {
  try {
    const headers = { "content-type": "application/json", "x-request-id": POLL_ID };
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(PROBE_MS), ...init });
    if (expected?.(response) === false) return undefined;
    const json: unknown = await response.json();
    return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
