import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  GetFaceParamsRequestSchema,
  GetFaceParamsResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { grpcFrame } from "../support/grpc-frame.ts";
import { type Harness, startHarness } from "../support/harness.ts";

const PATH = "/faceverification.v1.FaceVerificationService/GetFaceParams";
const ORIGIN = "https://app.example";
const person = { name: "张三", idNo: "11010519491231002X" };
let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ env: { CORS_ORIGINS: `${ORIGIN}, http://localhost:5173` } });
});
afterAll(() => harness.stop());

describe("CORS", () => {
  const preflight = (base: string, origin: string) =>
    fetch(base + PATH, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,connect-protocol-version,authorization,x-grpc-web",
      },
    });

  test("a page from a listed origin may call and read the response headers a client needs", async () => {
    const allowed = await preflight(harness.http, ORIGIN);
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(allowed.headers.get("access-control-allow-headers")?.toLowerCase()).toMatch(/authorization/);
    const answer = await harness.json("GetFaceParams", { ...person, userId: "cors" }, { origin: ORIGIN });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(answer.headers.get("access-control-expose-headers")?.toLowerCase()).toMatch(/grpc-status/);
  });

  test("no other origin may call, and none if none is configured", async () => {
    const other = await preflight(harness.http, "https://evil.example");
    expect(other.headers.get("access-control-allow-origin")).not.toBe("https://evil.example");
    await using closed = await startHarness();
    const answer = await closed.json("GetFaceParams", person, { origin: ORIGIN });
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, null]);
  });
});

describe("application/grpc-web-text", () => {
  const message = (userId: string) =>
    Buffer.from(
      grpcFrame(
        toBinary(GetFaceParamsRequestSchema, create(GetFaceParamsRequestSchema, { ...person, userId })),
      ),
    );
  const send = (body: string) =>
    fetch(harness.http + PATH, {
      method: "POST",
      headers: { "content-type": "application/grpc-web-text" },
      body,
    });
  const parts = (text: string) => {
    const bytes = Buffer.from(text, "base64");
    const length = bytes.readUInt32BE(1);
    return { message: bytes.subarray(5, 5 + length), trailers: bytes.subarray(5 + length + 5).toString() };
  };

  test.each<[string, (frame: Buffer) => string]>([
    ["in one piece", (frame) => frame.toString("base64")],
    [
      "prefix and message encoded by themselves",
      (frame) => frame.subarray(0, 5).toString("base64") + frame.subarray(5).toString("base64"),
    ],
  ])("a gRPC-Web text request, %s, is answered in Base64", async (what, encode) => {
    const answer = await send(encode(message(what.length === 12 ? "text1" : "text2")));
    expect([answer.status, answer.headers.get("content-type")]).toEqual([
      200,
      "application/grpc-web-text+proto",
    ]);
    const { message: response, trailers } = parts(await answer.text());
    expect(fromBinary(GetFaceParamsResponseSchema, response).orderNo).toHaveLength(32);
    expect(trailers).toMatch(/grpc-status: 0/);
  });

  test.each([
    ["no Base64", "!!!!", "3"],
    ["two messages", Buffer.concat([message("a"), message("b")]).toString("base64"), "12"],
    ["no message", "", "12"],
  ])("a gRPC-Web text body with %s is refused with a status", async (_what, body, status) => {
    const answer = await send(body);
    const text = await answer.text();
    const trailers =
      answer.headers.get("grpc-status") ??
      /grpc-status: (\d+)/.exec(Buffer.from(text, "base64").toString("latin1"))?.[1];
    expect(trailers).toBe(status);
  });
});

describe("what balancers and old clients send", () => {
  test("the public listener answers HEAD and GET of the probes, without reasons", async () => {
    for (const path of ["/livez", "/readyz"]) {
      expect((await fetch(harness.http + path, { method: "HEAD" })).status).toBe(200);
      const got = await fetch(harness.http + path);
      expect([got.status, await got.json()]).toEqual([200, { status: "ok" }]);
    }
    harness.service.drain();
    const draining = await fetch(`${harness.http}/readyz`);
    expect([draining.status, await draining.json()]).toEqual([503, { status: "unavailable" }]);
  });

  test("JSON may have its charset in quotes", async () => {
    const answer = await harness.json(
      "GetFaceParams",
      { ...person, userId: "quoted" },
      {
        "content-type": 'application/json; charset="utf-8"',
      },
    );
    expect([answer.status, answer.body.orderNo?.length]).toEqual([200, 32]);
  });

  test("a compressed form is 415, with an explanation", async () => {
    const answer = await fetch(`${harness.http}/get_result`, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "content-encoding": "gzip",
        "accept-language": "en",
      },
      body: gzipSync("order_no=x"),
    });
    expect(await answer.json()).toMatchObject({
      code: "415",
      reason: "UNSUPPORTED_MEDIA_TYPE",
      fields: [{ field: "content-encoding", rule: "form.encoding" }],
      msg: expect.stringContaining("content-encoding must not be compressed"),
    });
  });

  test.each(["GET", "PUT", "PATCH", "DELETE"])("%s on a form route is 405 with Allow", async (method) => {
    const answer = await fetch(`${harness.http}/get_result`, { method });
    expect([
      answer.status,
      answer.headers.get("allow"),
      ((await answer.json()) as { code: string }).code,
    ]).toEqual([405, "POST", "405"]);
  });

  test("an idle connection is kept open for KEEP_ALIVE_TIMEOUT", async () => {
    await using kept = await startHarness({ env: { KEEP_ALIVE_TIMEOUT: "600s" } });
    const answer = await kept.form("/get_result", { order_no: "x" });
    expect(answer.headers.get("keep-alive")).toBe("timeout=600");
  });
});
