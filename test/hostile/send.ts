import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from "node:http2";

/** An HTTP/2 connection that expects anything. */
export function open(url: string): ClientHttp2Session {
  const session = connect(url, { rejectUnauthorized: false, maxSessionMemory: 1_000 });
  session.on("error", () => undefined);
  return session;
}

/** Begins a call; its body is still to come. */
export function begin(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string>,
): ClientHttp2Stream {
  const stream = session.request({ ":method": "POST", ":path": path, te: "trailers", ...headers });
  return stream.on("error", () => undefined);
}

/** What a call came to: its gRPC status, else its HTTP status, else `reset`. */
export async function outcome(stream: ClientHttp2Stream): Promise<string> {
  let said = "reset";
  const note = (headers: IncomingHttpHeaders & IncomingHttpStatusHeader) => {
    const status = headers["grpc-status"];
    if (typeof status === "string") said = `grpc ${status}`;
    else if (said === "reset") said = `http ${headers[":status"]}`;
  };
  stream.on("response", note).on("trailers", note).resume();
  if (!stream.closed) await once(stream, "close").catch(() => undefined);
  return said;
}

/** So many calls at once on one connection, each with the body; what they came to. */
export async function calls(
  url: string,
  path: string,
  count: number,
  headers: Record<string, string>,
  body: Buffer,
): Promise<string[]> {
  const session = open(url);
  const outcomes = Array.from({ length: count }, () => {
    const stream = begin(session, path, headers);
    stream.end(body);
    return outcome(stream);
  });
  const said = await Promise.all(outcomes);
  session.destroy();
  return said;
}
