import { createServer, type IncomingMessage, type ServerResponse, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";

/** One call of the service to the vendor, as it looked on the wire. */
export interface SeenCall {
  endpoint: "access_token" | "sign_ticket" | "nonce_ticket" | "upload" | "query";
  path: string;
  query: Readonly<Record<string, string>>;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The JSON body; empty for GET. */
  body: Readonly<Record<string, string>>;
  /** `left`: the service hung up before it had its answer. */
  outcome: "open" | "answered" | "left";
}

/** Stands between service and sandbox, passes everything on, and remembers what it saw. */
export interface Recorder {
  /** Set to answer some calls itself; the vendor never sees those. */
  instead: ((call: SeenCall) => { status: number; body: string } | undefined) | undefined;
  url: string;
  calls: readonly SeenCall[];
  /** The calls of one endpoint. */
  of(endpoint: SeenCall["endpoint"]): SeenCall[];
  stop(): Promise<void>;
}

export async function startRecorder(target: string): Promise<Recorder> {
  const calls: SeenCall[] = [];

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "", target);
    const text = Buffer.concat(chunks).toString();
    const call: SeenCall = {
      endpoint: endpointOf(url),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: text === "" ? {} : (JSON.parse(text) as Record<string, string>),
      outcome: "open",
    };
    calls.push(call);
    const own = recorder.instead?.(call);
    if (own) {
      call.outcome = "answered";
      response.writeHead(own.status, { "content-type": "application/json" }).end(own.body);
      return;
    }
    const onward = send(url, { method: request.method ?? "", headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      // Unlike pipe, this cuts the one side when the other is cut.
      pipeline(answer, response, () => undefined);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => {
      call.outcome = response.writableFinished ? "answered" : "left";
      onward.destroy();
    });
    onward.end(text);
  }

  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const recorder: Recorder = {
    instead: undefined,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    of: (endpoint) => calls.filter((call) => call.endpoint === endpoint),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return recorder;
}

function endpointOf({ pathname, searchParams }: URL): SeenCall["endpoint"] {
  if (pathname.endsWith("/access_token")) return "access_token";
  if (pathname.endsWith("/api_ticket")) {
    return searchParams.get("type") === "NONCE" ? "nonce_ticket" : "sign_ticket";
  }
  return pathname.endsWith("/queryfacerecord") ? "query" : "upload";
}
