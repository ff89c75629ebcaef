import http2 from "node:http2";
import net from "node:net";
import type { Input } from "./inputs.ts";

/** How often each answer came: HTTP statuses, `grpc N`, `closed`, `silent`. */
export type Answers = Map<string, number>;

const count = (answers: Answers, answer: string, times = 1) =>
  answers.set(answer, (answers.get(answer) ?? 0) + times);

/** Waits no longer than this for an answer, milliseconds. */
const PATIENCE_MS = 20_000;

/** Sends the bodies one after the other over one connection, and counts the statuses. */
export async function sendHttp1(
  { host, port }: Address,
  inputs: readonly Input[],
  answers: Answers,
): Promise<void> {
  for (let sent = 0; sent < inputs.length; ) {
    const rest = inputs.slice(sent);
    const requests = rest.map(({ path, type, body }) =>
      Buffer.concat([
        Buffer.from(
          `POST ${path} HTTP/1.1\r\nhost: x\r\n${type === "" ? "" : `content-type: ${type}\r\n`}content-length: ${body.length}\r\n\r\n`,
        ),
        body,
      ]),
    );
    const statuses = await exchange({ host, port }, Buffer.concat(requests), requests.length);
    for (const status of statuses) count(answers, status);
    // The server may close after an answer: those behind it go again.
    if (statuses.length === 0) {
      count(answers, "closed");
      sent += 1;
    }
    sent += statuses.length;
  }
}

/** Sends raw bytes on a connection of their own. */
export async function sendRaw(address: Address, bytes: Buffer, answers: Answers): Promise<void> {
  const statuses = await exchange(address, bytes, 1, 150);
  for (const status of statuses.length === 0 ? ["closed"] : statuses) count(answers, status);
}

/** Sends the bodies as gRPC over one HTTP/2 connection. */
export async function sendGrpc(
  { host, port }: Address,
  inputs: readonly Input[],
  answers: Answers,
): Promise<void> {
  const session = http2.connect(`http://${host}:${port}`);
  session.on("error", () => undefined);
  await Promise.all(
    inputs.map(
      ({ path, body }) =>
        new Promise<void>((resolve) => {
          const stream = session.request({
            ":method": "POST",
            ":path": path,
            "content-type": "application/grpc",
            te: "trailers",
          });
          let status: string | undefined;
          const read = (headers: http2.IncomingHttpHeaders) => {
            const code = headers["grpc-status"];
            const details = Buffer.from(String(headers["grpc-status-details-bin"] ?? ""), "base64");
            // gRPC wants its INTERNAL for a frame that breaks the protocol; that is no fault of the service's.
            const broken = details.includes("MALFORMED_REQUEST") ? ", malformed" : "";
            if (code !== undefined) status = `grpc ${String(code)}${broken}`;
            else if (String(headers[":status"] ?? 200) !== "200") status = String(headers[":status"]);
          };
          stream.setTimeout(PATIENCE_MS, () => stream.close());
          stream
            .on("response", read)
            .on("trailers", read)
            .on("error", () => undefined);
          stream.on("close", () => {
            count(answers, status ?? "closed");
            resolve();
          });
          stream.resume();
          stream.end(body);
        }),
    ),
  );
  session.close();
}

export interface Address {
  host: string;
  port: number;
}

/** The statuses that came before the server closed, or all that were wanted, or nothing came for `quietMs`. */
function exchange(address: Address, bytes: Buffer, wanted: number, quietMs = PATIENCE_MS): Promise<string[]> {
  return new Promise((resolve) => {
    const statuses: string[] = [];
    let rest = "";
    const socket = net.connect(address, () => socket.write(bytes));
    const done = () => {
      socket.destroy();
      resolve(statuses);
    };
    socket.setTimeout(quietMs, done);
    socket.on("data", (chunk) => {
      const text = rest + chunk.toString("latin1");
      const lines = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)];
      for (const [, status = ""] of lines) statuses.push(status);
      const last = lines.at(-1);
      // A status line may be cut in two.
      rest = text.slice(Math.max(last ? last.index + 12 : 0, text.length - 12));
      if (statuses.length >= wanted) done();
    });
    socket.on("error", () => undefined);
    socket.on("close", done);
  });
}
