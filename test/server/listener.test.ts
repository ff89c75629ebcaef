import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import type { FastifyInstance } from "fastify";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { createListener, type Listener } from "../../src/server/listener.ts";
import { createAuthority } from "../support/certificates.ts";
import { isOpen } from "../support/free-port.ts";

const NO_SLOW_READERS = { watch: () => undefined, watchStream: () => undefined };
let listener: Listener | undefined;
afterEach(async () => {
  await listener?.stop();
  listener = undefined;
});

/** The size of a video, bytes. */
const LARGE = 8 * 1024 * 1024;

/** A route that answers on request, and one that refuses a body without reading it. */
function routes() {
  let finish: () => void = () => undefined;
  let started: () => void = () => undefined;
  const running = new Promise<void>((resolve) => {
    started = resolve;
  });
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const plugin = async (app: FastifyInstance) => {
    app.get("/fast", async () => "fast");
    app.get("/slow", async () => {
      started();
      await finished;
      return "slow";
    });
    // As Connect writes a response: all of it, then the end as soon as writing has begun.
    app.get("/large", (_request, reply) => {
      reply.hijack();
      reply.raw.once("drain", () => reply.raw.end()).write(Buffer.alloc(LARGE));
    });
    app.addContentTypeParser("text/plain", { parseAs: "string" }, (_request, body, done) => done(null, body));
    app.post("/refuse", { bodyLimit: 10 }, async () => "unreachable");
  };
  return { plugin, running, finish };
}

async function open(cleartext: "http1" | "h2c", drainMs = 30_000) {
  const { plugin, ...control } = routes();
  listener = createListener({
    address: { host: "127.0.0.1", port: 0 },
    cleartext,
    plugins: [plugin],
    closing: new AbortController(),
    slowReaders: NO_SLOW_READERS,
    events: { requestTurnedAway: () => undefined },
    drainMs,
    clock: systemClock,
  });
  await listener.start();
  return { ...control, url: `http://${listener.address()}` };
}

async function timed(work: Promise<void> | undefined): Promise<number> {
  const began = performance.now();
  await work;
  return performance.now() - began;
}

function get(url: string, agent?: http.Agent) {
  return new Promise<{ status: number; text: string; headers: http.IncomingHttpHeaders }>(
    (resolve, reject) => {
      http
        .get(url, { ...(agent && { agent }) }, (response) => {
          let text = "";
          response.on("data", (chunk: Buffer) => {
            text += chunk.toString();
          });
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
          );
        })
        .on("error", reject);
    },
  );
}

describe("closing over HTTP/1.1", () => {
  test("idle keep-alive connections do not delay closing", async () => {
    const { url } = await open("http1");
    const agent = new http.Agent({ keepAlive: true });
    expect((await get(`${url}/fast`, agent)).text).toBe("fast");
    expect(await timed(listener?.stop())).toBeLessThan(5_000);
    agent.destroy();
  });

  test("a call in flight is finished, and its keep-alive connection does not linger", async () => {
    const { url, running, finish } = await open("http1");
    const agent = new http.Agent({ keepAlive: true });
    const answer = get(`${url}/slow`, agent);
    await running;
    const stopped = listener?.stop();
    finish();
    expect((await answer).text).toBe("slow");
    // By default this takes the keep-alive timeout of 72 s.
    expect(await timed(stopped)).toBeLessThan(10_000);
    agent.destroy();
  });

  test("a connection without a request does not delay closing", async () => {
    const { url } = await open("http1");
    const socket = net.connect(Number(new URL(url).port), "127.0.0.1").on("error", () => undefined);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    // Connections are accepted in order, so the first one is known to the listener by then.
    expect((await get(`${url}/fast`)).text).toBe("fast");
    expect(await timed(listener?.stop())).toBeLessThan(5_000);
    await closed;
  });

  test("a call that never ends is aborted after the drain time", async () => {
    const { url, running } = await open("http1", 100);
    const answer = get(`${url}/slow`).catch((error: NodeJS.ErrnoException) => error.code);
    await running;
    expect(await timed(listener?.stop())).toBeLessThan(10_000);
    expect(await answer).toBe("ECONNRESET");
  });
});

describe("closing over HTTP/2", () => {
  test("a stream whose body was refused unread does not delay closing", async () => {
    const { url } = await open("h2c");
    const session = http2.connect(url);
    session.on("error", () => undefined);
    const stream = session.request({ ":method": "POST", ":path": "/refuse", "content-type": "text/plain" });
    stream.on("error", () => undefined);
    const status = new Promise((resolve) => stream.on("response", (headers) => resolve(headers[":status"])));
    // More than the flow-control window, and never ended.
    stream.write(Buffer.alloc(200_000));
    expect(await status).toBe(413);
    expect(await timed(listener?.stop())).toBeLessThan(10_000);
    session.destroy();
  });

  test("a call in flight is finished, and a client that keeps its session open is disconnected", async () => {
    const { url, running, finish } = await open("h2c");
    const session = http2.connect(url);
    session.on("error", () => undefined);
    const stream = session.request({ ":path": "/slow" });
    let text = "";
    const ended = new Promise((resolve) =>
      stream
        .on("data", (chunk: Buffer) => {
          text += chunk.toString();
        })
        .on("end", resolve),
    );
    await running;
    const stopped = listener?.stop();
    finish();
    await ended;
    expect(text).toBe("slow");
    expect(await timed(stopped)).toBeLessThan(10_000);
    session.destroy();
  });
});

describe("request ids", () => {
  test("a caller's request id is adopted, and an invalid one replaced", async () => {
    const { url } = await open("http1");
    const withId = (id: string) => fetch(`${url}/fast`, { headers: { "x-request-id": id } });
    expect((await withId("abc-123")).headers.get("x-request-id")).toBe("abc-123");
    for (const bad of ["a b", "x".repeat(65), "<script>"]) {
      expect((await withId(bad)).headers.get("x-request-id")).toMatch(/^[0-9A-Za-z]{20}$/);
    }
  });

  test("an unknown route is answered in JSON", async () => {
    const { url } = await open("http1");
    const { status, text, headers } = await get(`${url}/nope?id_no=11010519491231002X`);
    expect(status).toBe(404);
    expect(JSON.parse(text)).toMatchObject({ code: "404", reason: "ROUTE_NOT_FOUND" });
    expect(text).not.toContain("11010519491231002X");
    expect(headers["x-request-id"]).toMatch(/^[0-9A-Za-z]{20}$/);
  });
});

test("a client that TLS refuses after the listener has closed is reported too, with the port that it was", async () => {
  const refused: unknown[] = [];
  const tls = createAuthority().issue("closing");
  listener = createListener({
    address: { host: "127.0.0.1", port: 0 },
    cleartext: "http1",
    tls: () => tls,
    plugins: [],
    slowReaders: NO_SLOW_READERS,
    events: { requestTurnedAway: () => undefined, tlsRefused: (one) => void refused.push(one) },
    drainMs: 30_000,
    clock: systemClock,
  });
  await listener.start();
  const port = Number(listener.address().split(":").at(-1));
  const client = net.connect(port, "127.0.0.1").on("error", () => undefined);
  await once(client, "connect");
  const stopped = listener.stop();
  // It still has a second to say what it wants.
  await expect.poll(() => isOpen(port)).toBe(false);
  client.write("GET / HTTP/1.1\r\n\r\n");
  await stopped;
  expect(refused).toMatchObject([{ port, why: "ERR_SSL_HTTP_REQUEST" }]);
});

test("an HTTP/2 connection accepts new calls while it writes large responses", async () => {
  const { url } = await open("h2c");
  const session = http2.connect(url);
  const read = (path: string) =>
    new Promise<number>((resolve, reject) => {
      let size = 0;
      session
        .request({ ":path": path })
        .on("data", (chunk: Buffer) => {
          size += chunk.length;
        })
        .on("end", () => resolve(size))
        .on("error", reject);
    });
  const three = async () => [await read("/large"), await read("/large"), await read("/large")];
  const answers = await Promise.all(Array.from({ length: 12 }, three));
  expect(answers.flat()).toEqual(Array(36).fill(LARGE));
  session.destroy();
});
