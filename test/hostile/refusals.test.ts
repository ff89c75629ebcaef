import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { createAuthority } from "../support/certificates.ts";
import { type Child, endChildren, startChild, startUpstream } from "../support/child.ts";
import { grpcFrame } from "../support/grpc-frame.ts";
import { eventually } from "../support/harness.ts";
import { begin, open, outcome } from "./send.ts";
import { FAST, GET_RESULT, PLAIN, WEB } from "./shapes.ts";
import { allTold, linesOf } from "./told.ts";

// Every refusal has our shape and leaves one line and one count; nothing of the request is on standard error.

const HEALTH = "/grpc.health.v1.Health/Check";
const SECRET = "11010519491231002X";
let directory: string;
let sandbox: Sandbox;
/** In the clear, and with TLS. */
let plain: Child;
let secure: Child;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "hostile-"));
  const authority = createAuthority();
  const { cert, key } = authority.issue("localhost");
  authority[Symbol.dispose]();
  writeFileSync(join(directory, "cert.pem"), cert);
  writeFileSync(join(directory, "key.pem"), key);
  const upstream = await startUpstream();
  ({ sandbox } = upstream);
  const tls = { TLS_CERT_FILE: join(directory, "cert.pem"), TLS_KEY_FILE: join(directory, "key.pem") };
  [plain, secure] = await Promise.all([
    startChild({ env: upstream.env }),
    startChild({ env: { ...upstream.env, ...tls } }),
  ]);
});
afterAll(async () => {
  await endChildren();
  await sandbox.stop();
  rmSync(directory, { recursive: true, force: true });
});
async function counted(child: Child): Promise<number> {
  const text = await (await fetch(`${child.admin}/metrics`)).text();
  const samples = text.matchAll(/^faceid_requests_refused_total\{[^}]*\} (\d+)$/gm);
  return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
}

interface Raw {
  status: number;
  head: string;
  body: string;
}

/** Writes bytes to the public listener and reads what comes until it closes. */
function raw(child: Child, text: string, { end = true } = {}): Promise<Raw> {
  const { hostname, port } = new URL(child.http);
  return new Promise((resolve) => {
    const to = { host: hostname, port: Number(port) };
    const socket =
      child === secure
        ? connectTls({ ...to, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
        : connectTcp(to);
    let said = "";
    socket.on("data", (chunk) => {
      said += chunk.toString();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      const [head = "", ...rest] = said.split("\r\n\r\n");
      resolve({ head, status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), body: rest.join("\r\n\r\n") });
    });
    socket.write(text);
    if (end) socket.end();
  });
}

/** Does it, and expects one line and one count of the outcome, and silence on standard error. */
async function seenOnce<T>(child: Child, outcomeName: string, act: () => Promise<T>): Promise<T> {
  const told = await allTold(child);
  const before = await counted(child);
  const result = await act();
  await eventually(async () => (await counted(child)) > before, 10_000);
  await allTold(child);
  const seen = linesOf(child, "request_refused", told).map(({ outcome: said }) => said);
  // The last one is the mark's own.
  expect(seen).toEqual([outcomeName, "ROUTE_NOT_FOUND"]);
  expect(await counted(child)).toBe(before + 2);
  expect(child.err()).toBe("");
  expect(child.out.join()).not.toContain(SECRET);
  return result;
}

const shaped = (status: number, reason: string) => ({
  code: String(status),
  msg: expect.any(String),
  reason,
});
const both = () => [plain, secure];

const HOSTS: [string, string][] = [
  ["with a space", "Host: a b\r\n"],
  ["with a port that is none", "Host: x:99999\r\n"],
  ["with half an address", "Host: [::1\r\n"],
  ["empty", "Host: \r\n"],
  ["with a user", "Host: a@b\r\n"],
  ["with a path", "Host: a/b\r\n"],
  ["missing", ""],
  ["twice", "Host: a\r\nHost: b\r\n"],
  ["twice the same", "Host: a\r\nHost: a\r\n"],
];

describe("a Host", () => {
  test.each(HOSTS)("a Host %s is refused as malformed", async (_what, host) => {
    const asks = [
      `POST /faceverification.v1.FaceVerificationService/GetResult HTTP/1.1\r\n${host}Content-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      `GET /openapi.json?id_no=${SECRET} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
      `GET /nowhere?id_no=${SECRET} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    ];
    for (const child of both()) {
      for (const ask of asks) {
        const { status, body } = await seenOnce(child, "MALFORMED_REQUEST", () => raw(child, ask));
        expect(status).toBe(400);
        expect(JSON.parse(body)).toEqual(shaped(400, "MALFORMED_REQUEST"));
      }
    }
  });

  test("a Host may be missing in HTTP/1.0", async () => {
    const { status } = await raw(plain, "GET /openapi.json HTTP/1.0\r\n\r\n");
    expect(status).toBe(200);
    const health = await raw(
      plain,
      'POST /faceverification.v1.FaceVerificationService/GetResult HTTP/1.0\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 14\r\n\r\n{"orderNo":"x"}',
    );
    expect(health.body).not.toBe("");
    expect(plain.err()).toBe("");
  });

  test.each([
    ["x:99999", undefined],
    ["[::1", undefined],
    ["a", "b"],
  ])("the pair of :authority %s and host %s is refused as malformed", async (authority, host) => {
    const session = open(`http://${plain.grpc}`);
    const said = await seenOnce(plain, "MALFORMED_REQUEST", () => {
      const stream = session.request({
        ":method": "POST",
        ":path": `${HEALTH}?id_no=${SECRET}`,
        ":authority": authority,
        ...(host !== undefined && { host }),
        ...FAST,
      });
      stream.end(grpcFrame(Buffer.alloc(0)));
      return outcome(stream);
    });
    expect(said).toBe("http 400");
    session.destroy();
  });
});

test("an :authority that is invalid in HTTP/2 is reset by the library", async () => {
  const session = open(`http://${plain.grpc}`);
  const stream = session.request({ ":method": "POST", ":path": HEALTH, ":authority": "a b", ...FAST });
  stream.on("error", () => undefined).end();
  expect(await outcome(stream)).toBe("reset");
  expect(plain.err()).toBe("");
  session.destroy();
});

describe("over HTTP/1.1", () => {
  const ask = (head: string, body = "") => `${head}\r\nHost: x\r\nConnection: close\r\n${body}`;
  test.each<[string, string, number, string]>([
    ["bytes that are no HTTP", "nonsense\r\n\r\n", 400, "MALFORMED_REQUEST"],
    [
      "headers that are too long",
      ask("GET / HTTP/1.1", `x: ${"y".repeat(20_000)}\r\n\r\n`),
      431,
      "PAYLOAD_TOO_LARGE",
    ],
    [
      "a URL that cannot be decoded",
      ask(`GET /%zz?id_no=${SECRET} HTTP/1.1`, "\r\n"),
      400,
      "MALFORMED_REQUEST",
    ],
    ["a route that is none", ask(`GET /nowhere?id_no=${SECRET} HTTP/1.1`, "\r\n"), 404, "ROUTE_NOT_FOUND"],
    [
      "a content type that is none",
      ask(`POST ${GET_RESULT} HTTP/1.1`, "Content-Type: nonsense\r\nContent-Length: 2\r\n\r\n{}"),
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    [
      "a content type of others",
      ask(`POST ${GET_RESULT} HTTP/1.1`, "Content-Type: text/xml\r\nContent-Length: 2\r\n\r\n{}"),
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    [
      "a stream for a unary call",
      ask(
        `POST ${GET_RESULT} HTTP/1.1`,
        "Content-Type: application/connect+json\r\nContent-Length: 2\r\n\r\n{}",
      ),
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    [
      "no content type",
      ask(`POST ${GET_RESULT} HTTP/1.1`, "Content-Length: 2\r\n\r\n{}"),
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    [
      "JSON as a form",
      ask("POST /get_result HTTP/1.1", "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"),
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    ["a method that is none", ask(`PUT ${GET_RESULT} HTTP/1.1`, "\r\n"), 405, "ROUTE_NOT_FOUND"],
    [
      "chunks that are none, as a form",
      ask(
        "POST /get_result HTTP/1.1",
        "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      ),
      400,
      "MALFORMED_REQUEST",
    ],
  ])(
    "a request with %s over HTTP/1.1 is refused once, in the documented shape",
    async (_what, text, status, reason) => {
      for (const child of both()) {
        const answer = await seenOnce(child, reason, () => raw(child, text, { end: false }));
        expect(answer.status).toBe(status);
        expect(JSON.parse(answer.body)).toMatchObject(shaped(status, reason));
      }
    },
  );

  test.each(["application/json", "application/proto"])(
    "invalid chunks of %s are refused as malformed",
    async (type) => {
      const text = ask(
        `POST ${GET_RESULT} HTTP/1.1`,
        `Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      );
      for (const child of both()) {
        const { status, body } = await seenOnce(child, "MALFORMED_REQUEST", () =>
          raw(child, text, { end: false }),
        );
        expect(status).toBe(400);
        expect(JSON.parse(body)).toMatchObject({ code: "invalid_argument" });
      }
    },
  );

  test.each([
    ["a form", "/get_result", "application/x-www-form-urlencoded"],
    ["JSON", GET_RESULT, "application/json"],
    ["JSON by Connect", GET_RESULT, "application/json; charset=utf-8"],
    ["gRPC-Web", GET_RESULT, "application/grpc-web+proto"],
  ])("a caller that disconnects in the middle of %s is logged as CANCELLED", async (_what, path, type) => {
    const text = ask(`POST ${path} HTTP/1.1`, `Content-Type: ${type}\r\nContent-Length: 100\r\n\r\n{`);
    for (const child of both()) await seenOnce(child, "CANCELLED", () => raw(child, text));
  });
});

describe("over HTTP/2", () => {
  test("an idle HTTP/1.1 connection is kept as long with TLS as without", async () => {
    const ask =
      "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\nGET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (const child of both()) expect((await raw(child, ask)).head).toContain("timeout=72");
  });

  test.each([
    ["the fast door", FAST, GET_RESULT],
    ["plain Connect", PLAIN, GET_RESULT],
    ["gRPC-Web", WEB, GET_RESULT],
    ["JSON", { "content-type": "application/json" }, GET_RESULT],
    ["a form", { "content-type": "application/x-www-form-urlencoded" }, "/get_result"],
  ])(
    "a caller that disconnects in the middle of an HTTP/2 body for %s is logged as CANCELLED",
    async (_what, headers, path) => {
      const session = open(secure.http.replace("http:", "https:"));
      await seenOnce(secure, "CANCELLED", async () => {
        const stream = begin(session, path, headers);
        stream.write(Buffer.of(0, 0, 0, 0, 9));
        await new Promise((resolve) => session.ping(resolve));
        session.destroy();
      });
    },
  );

  test("protocol errors have gRPC's own codes in the fast path and in Connect", async () => {
    const call = async (headers: Record<string, string>, body: Buffer, path = GET_RESULT) => {
      const session = open(`http://${plain.grpc}`);
      const stream = begin(session, path, headers);
      const answered: Record<string, unknown> = {};
      stream.on("response", (head) => Object.assign(answered, head));
      stream.end(body);
      const said = await outcome(stream);
      session.destroy();
      return { said, headers: answered };
    };
    const empty = Buffer.alloc(0);
    const message = grpcFrame(Buffer.from([0x0a, 1, 0x61]));
    for (const headers of [FAST, PLAIN]) {
      expect((await call(headers, empty)).said).toBe("grpc 12");
      expect((await call(headers, Buffer.concat([message, message]))).said).toBe("grpc 12");
      expect((await call(headers, grpcFrame(Buffer.of(1), 2))).said).toBe("grpc 13");
      expect((await call(headers, grpcFrame(Buffer.of(1), 0x80))).said).toBe("grpc 13");
      expect((await call(headers, message.subarray(0, 6))).said).toBe("grpc 3");
      // Longer than any timer runs, and not over at once.
      expect((await call({ ...headers, "grpc-timeout": "99999999H" }, message)).said).toBe("grpc 0");
    }
    expect((await call(FAST, grpcFrame(gzipSync("x"), 1))).said).toBe("grpc 13");
    const identity = { ...FAST, "grpc-encoding": "identity" };
    expect((await call(identity, grpcFrame(gzipSync("x"), 1))).said).toBe("grpc 13");
    const unknown = await call({ ...FAST, "grpc-encoding": "snappy" }, grpcFrame(Buffer.of(1), 1));
    expect(unknown.said).toBe("grpc 12");
    expect(unknown.headers["grpc-accept-encoding"]).toBe("gzip,br");
    expect(plain.err()).toBe("");
  });

  test.each(["application/grpc", "application/grpc+proto", "application/grpc-web+proto"])(
    "an unknown method called as %s is UNIMPLEMENTED and not JSON",
    async (type) => {
      const session = open(`http://${plain.grpc}`);
      const headers: Record<string, unknown> = {};
      const said = await seenOnce(plain, "ROUTE_NOT_FOUND", () => {
        const path = "/faceverification.v1.FaceVerificationService/Nothing";
        const stream = begin(session, path, { "content-type": type });
        stream.once("response", (head) => Object.assign(headers, head));
        stream.end(grpcFrame(Buffer.alloc(0)));
        return outcome(stream);
      });
      expect(said).toBe("grpc 12");
      expect(headers).toMatchObject({ ":status": 200, "content-type": type, "grpc-status": "12" });
      session.destroy();
    },
  );

  test("an unknown method called with JSON is 404", async () => {
    const response = await fetch(`${plain.http}/faceverification.v1.FaceVerificationService/Nothing`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual(shaped(404, "ROUTE_NOT_FOUND"));
  });
});
