import type { FastifyReply, FastifyRequest } from "fastify";
import { answer, type FaultableConnection, type PreparedAnswer } from "./controls/apply-fault.ts";
import type { JournalCall } from "./controls/journal.ts";
import type { ServerParts } from "./server.ts";
import type { Endpoint, SandboxRequest } from "./vendor/request.ts";

/** The answer of the vendor, the SDK or a page to a call. */
export type VendorHandler = (request: SandboxRequest) => PreparedAnswer;

/** One call: counted, entered into the journal, delayed, judged, and answered or failed as scripted. */
export async function exchange(
  { state, faults, counters, journal, transcriber, latencyMs, stopping }: ServerParts,
  endpoint: Endpoint,
  handle: VendorHandler,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const entry = journal.enter(endpoint, callerOf(request));
  const call = readRequest(entry, request);
  const { inFlight, leave } = counters.enter(endpoint);
  if (inFlight > 1 && endpoint === "access_token") state.breaches.add("overlapping_refresh", entry);
  if (inFlight > 1 && endpoint === "sign_ticket") state.breaches.add("overlapping_sign_ticket", entry);
  transcriber?.opened(entry, sentBy(request));
  const left = new AbortController();
  // A call whose caller has disconnected is no longer in flight.
  reply.raw.once("close", () => {
    leave();
    journal.leave(entry);
    transcriber?.left(entry);
    left.abort(new Error("the caller left"));
  });
  const answered = (status: number, contentType: string, body: string) => {
    // Before the response is sent: the caller's next call may arrive before this connection closes.
    leave();
    entry.status = status;
    transcriber?.answered(entry, { status, contentType, body });
  };
  const wire = createWire(reply, answered, left.signal, stopping);
  try {
    const delayMs = latencyMs();
    if (delayMs > 0) {
      transcriber?.intervened("latency");
      await state.clock.sleep(delayMs, wire.gone);
    }
    const fault = faults.take(endpoint);
    if (fault) {
      entry.fault = fault.kind;
      transcriber?.intervened("fault");
    }
    const work = () => {
      const prepared = handle(call);
      const { code } = ("json" in prepared ? prepared.json : {}) as { code?: string };
      if (code !== undefined) entry.code = code;
      transcriber?.judged(entry, call);
      return prepared;
    };
    await answer(fault, work, wire, state.clock);
  } catch (error) {
    leave();
    if (!left.signal.aborted && !stopping.aborted) throw error;
    reply.hijack();
    reply.raw.destroy();
  }
  return reply;
}

function createWire(
  reply: FastifyReply,
  answered: (status: number, contentType: string, body: string) => void,
  left: AbortSignal,
  stopping: AbortSignal,
): FaultableConnection {
  return {
    stopping,
    // Combined on demand: most calls end at once, and `stopping` outlives them all.
    get gone() {
      return AbortSignal.any([left, stopping]);
    },
    send(status, contentType, body) {
      answered(status, contentType, body);
      void reply.code(status).header("content-type", contentType).send(body);
    },
    redirect(status, location) {
      answered(status, "", location);
      void reply.redirect(location, status);
    },
    reset() {
      reply.hijack();
      reply.raw.socket?.resetAndDestroy();
    },
    truncate(contentType, body) {
      reply.hijack();
      const bytes = Buffer.from(body);
      const half = bytes.subarray(0, bytes.length >> 1);
      answered(200, contentType, half.toString());
      reply.raw.writeHead(200, { "content-type": contentType, "content-length": bytes.length });
      reply.raw.write(half, () => reply.raw.destroy());
    },
  };
}

/** The header `x-sandbox-caller`, else address and port. */
export function callerOf({ headers, ip, socket }: FastifyRequest): string {
  const named = headers["x-sandbox-caller"];
  return typeof named === "string" ? named : `${ip}:${socket.remotePort}`;
}

/** A request as it is recorded. */
export const sentBy = ({ method, url, headers, body }: FastifyRequest) => ({
  method,
  url,
  contentType: headers["content-type"] ?? "",
  body: typeof body === "string" ? body : "",
});

function readRequest(
  { id, endpoint, caller }: JournalCall & { endpoint: Endpoint },
  request: FastifyRequest,
): SandboxRequest {
  const { contentType, body } = sentBy(request);
  return { id, endpoint, caller, query: readQuery(request), contentType, body };
}

export function readQuery(request: FastifyRequest): SandboxRequest["query"] {
  return request.query as SandboxRequest["query"];
}
