import { once } from "node:events";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  FaceVerificationService,
  GetResultRequestSchema,
  GetResultResponseSchema,
} from "../../../gen/faceverification/v1/face_verification_service_pb.ts";
import { grpcFrame } from "../../support/grpc-frame.ts";
import { type Harness, startHarness } from "../../support/harness.ts";

// The usual call is answered by `doors/rpc/fast-path/fast-path.ts`, all others by Connect: the same question must get the same answer.

const PATH = `/${FaceVerificationService.typeName}`;
let harness: Harness;
let orderNo: string;

beforeAll(async () => {
  harness = await startHarness();
  const { body } = await harness.form("/get_face_params", { name: "张三", id_no: "11010519491231002X" });
  orderNo = (body.result as { order_no: string }).order_no;
});
afterAll(() => harness.stop());

/** What differs from call to call. */
const OWN = new Set(["date", "x-request-id", "traceparent"]);
const common = (headers: Iterable<[string, unknown]>, less: readonly string[] = []) =>
  Object.fromEntries(
    [...headers].filter(([name]) => !OWN.has(name) && !less.includes(name) && !name.startsWith(":")),
  );

/** The vendor gives each answer a serial number of its own. */
const sameSerial = (text: string) => text.replace(/"bizSeqNo":"\w+"/, '"bizSeqNo":"…"');

const BODIES: [string, () => Record<string, unknown>, number][] = [
  ["a result", () => ({ orderNo }), 200],
  ["an unknown order", () => ({ orderNo: "nobody" }), 404],
  ["a broken rule", () => ({}), 400],
  ["a field that does not exist", () => ({ orderNo, unknown: [1] }), 200],
  ["a field of another type", () => ({ orderNo: 17 }), 400],
];

describe("JSON", () => {
  const ask = async (body: string | Buffer, headers: Record<string, string>) => {
    const response = await fetch(`${harness.http}${PATH}/GetResult`, { method: "POST", body, headers });
    return {
      status: response.status,
      headers: common(response.headers, ["accept-encoding"]),
      body: sameSerial(await response.text()),
    };
  };

  test.each(BODIES)(
    "a JSON request with %s is answered alike by the fast path and by Connect",
    async (_name, fields, status) => {
      const body = JSON.stringify(fields());
      const usual = await ask(body, { "content-type": "application/json" });
      const byConnect = await ask(body, { "content-type": "application/json; charset=utf-8" });
      expect(usual).toEqual(byConnect);
      expect(usual.status).toBe(status);
      const packed = await ask(gzipSync(body), {
        "content-type": "application/json",
        "content-encoding": "gzip",
      });
      expect(packed).toEqual(usual);
    },
  );

  test.each(["", "{", "[]", "null", `{"orderNo":"${"x".repeat(1 << 20)}"}`])(
    "the unreadable JSON body %.20s is answered alike by the fast path and by Connect",
    async (body) => {
      const usual = await ask(body, { "content-type": "application/json" });
      expect(usual).toEqual(await ask(body, { "content-type": "application/json; charset=utf-8" }));
      expect(usual.status).toBeGreaterThanOrEqual(400);
    },
  );

  test.each([
    ["nonsense", 400],
    ["0", 504],
    ["99999999", 200],
    ["9999999999", 200],
  ])(
    "a connect-timeout-ms of %s is answered alike by the fast path and by Connect",
    async (timeout, status) => {
      const body = JSON.stringify({ orderNo });
      const asked = (type: string) => ask(body, { "content-type": type, "connect-timeout-ms": timeout });
      const usual = await asked("application/json");
      expect(usual.status).toBe(status);
      expect(usual).toEqual(await asked("application/json; charset=utf-8"));
    },
  );
});

interface Answer {
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
  body: string;
}

/** A session with the gRPC door and one call on it, whose body is still to come. */
function begin(headers: Record<string, string> = {}) {
  const session = connect(harness.grpc.replace(/^(?!http)/, "http://"));
  const stream = session.request({
    ":method": "POST",
    ":path": `${PATH}/GetResult`,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  return { session, stream };
}

/** One gRPC call whose body comes in the given parts. */
async function grpc(parts: Buffer[], headers: Record<string, string> = {}): Promise<Answer> {
  const { session, stream } = begin(headers);
  const answer: Answer = { headers: {}, trailers: {}, body: "" };
  const chunks: Buffer[] = [];
  const noted = (received: IncomingHttpHeaders) => common(Object.entries(received), ["grpc-encoding"]);
  stream.on("response", (received) => Object.assign(answer.headers, noted(received)));
  stream.on("trailers", (received) => Object.assign(answer.trailers, noted(received)));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  for (const part of parts) {
    stream.write(part);
    if (parts.length > 1) await delay(5);
  }
  stream.end();
  await once(stream, "close");
  session.close();
  const body = Buffer.concat(chunks);
  const message = body.length > 0 ? fromBinary(GetResultResponseSchema, body.subarray(5)) : undefined;
  return { ...answer, body: message ? sameSerial(toJsonString(GetResultResponseSchema, message)) : "" };
}

describe("gRPC", () => {
  const result = (of: string) =>
    toBinary(GetResultRequestSchema, create(GetResultRequestSchema, { orderNo: of }));
  /** Connect answers a caller that names an encoding. */
  const named = { "grpc-encoding": "gzip" };

  test.each([
    ["a result", () => orderNo, "0"],
    ["an unknown order", () => "nobody\u{1f9d1}", "3"],
    ["a broken rule", () => "", "3"],
  ])("a gRPC request for %s is answered alike by the fast path and by Connect", async (_name, of, status) => {
    const usual = await grpc([grpcFrame(result(of()))]);
    expect(usual.trailers["grpc-status"]).toBe(status);
    expect(usual).toEqual(await grpc([grpcFrame(result(of()))], named));
    expect(usual).toEqual(await grpc([grpcFrame(gzipSync(result(of())), 1)], named));
    const bytes = [...grpcFrame(result(of()))].map((byte) => Buffer.of(byte));
    expect(usual).toEqual(await grpc(bytes));
  });

  test.each([
    ["no message", () => [], "12"],
    ["two messages", () => [grpcFrame(result(orderNo)), grpcFrame(result(orderNo))], "12"],
    ["half a message", () => [grpcFrame(result(orderNo)).subarray(0, 9)], "3"],
    ["a compressed message without an encoding", () => [grpcFrame(gzipSync(result(orderNo)), 1)], "13"],
    ["reserved flags", () => [grpcFrame(result(orderNo), 4)], "13"],
    ["bytes that are not protobuf", () => [grpcFrame(Buffer.from("ff".repeat(20), "hex"))], "3"],
    ["a message over the size limit", () => [grpcFrame(Buffer.alloc(1 << 21))], "8"],
  ])("a gRPC body with %s is refused with gRPC's own status code", async (_name, parts, status) => {
    const usual = await grpc(parts());
    expect(usual.trailers["grpc-status"] ?? usual.headers["grpc-status"]).toBe(status);
    expect(usual.body).toBe("");
  });

  test("a caller that disconnects aborts its call to the vendor", async () => {
    harness.sandbox.faults.add({ endpoint: "query", kind: "delay", delayMs: 60_000, times: 1 });
    const before = harness.wire.of("query").length;
    const { session, stream } = begin();
    stream.on("error", () => undefined);
    stream.end(grpcFrame(result(orderNo)));
    await expect.poll(() => harness.wire.of("query").length, { timeout: 10_000 }).toBe(before + 1);
    session.destroy();
    const left = () =>
      harness.logs.some(({ event, outcome }) => event === "call_finished" && outcome === "CANCELLED");
    await expect.poll(left, { timeout: 10_000 }).toBe(true);
  });
});
