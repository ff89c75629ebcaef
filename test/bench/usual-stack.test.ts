import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endPrograms, type Program, startProgram, TOKEN, upstreamSeen } from "../../bench/programs.ts";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { GrpcClient } from "../support/grpc-client.ts";

// A peer that checked less than the service would make the comparison with it worth nothing.

const RPC = "/faceverification.v1.FaceVerificationService";
const ID_NO = "11010519491231002X";
let upstream: Program;

beforeAll(async () => {
  upstream = await startProgram("bench/upstream.ts");
}, 60_000);
afterAll(endPrograms);

describe("the usual stack on Fastify", () => {
  let peer: Program;
  beforeAll(async () => {
    peer = await startProgram("bench/peers/usual-fastify.ts", { UPSTREAM: upstream.http, TOKEN });
  }, 60_000);

  const post = async (path: string, body: string, type: string, token: string) => {
    const headers = { "content-type": type, authorization: `Bearer ${token}` };
    const response = await fetch(peer.http + path, { method: "POST", body, headers });
    return { status: response.status, text: await response.text() };
  };
  const form = (path: string, fields: Record<string, string>, token = TOKEN) =>
    post(path, new URLSearchParams(fields).toString(), "application/x-www-form-urlencoded", token);
  const json = (method: string, message: object, token = TOKEN) =>
    post(`${RPC}/${method}`, JSON.stringify(message), "application/json", token);

  test("asks the vendor and answers, by form and by JSON", async () => {
    const before = await upstreamSeen(upstream);
    const signed = expect.stringMatching(/^[0-9A-F]{40}$/);
    const byForm = await form("/get_face_params", { name: "张三", id_no: ID_NO, user_id: "u1" });
    expect(JSON.parse(byForm.text)).toMatchObject({ code: "0", result: { sign: signed, userId: "u1" } });
    const byJson = await json("GetFaceParams", { name: "张三", idNo: ID_NO, userId: "u2" });
    expect(JSON.parse(byJson.text)).toMatchObject({ sign: signed, userId: "u2" });
    const result = { orderNo: "o1", code: "0", liveRate: 99, similarity: 95.5 };
    expect(JSON.parse((await form("/get_result", { order_no: "o1" })).text)).toMatchObject({ result });
    expect(JSON.parse((await json("GetResult", { orderNo: "o1" })).text)).toEqual(result);
    expect((await upstreamSeen(upstream)).calls - before.calls).toBe(6);
  });

  test("refuses a wrong token and a field that breaks a rule, without a call to the vendor", async () => {
    const before = await upstreamSeen(upstream);
    expect(await form("/get_result", { order_no: "o1" }, "wrong")).toMatchObject({ status: 401 });
    expect(await json("GetResult", { orderNo: "o1" }, "wrong")).toMatchObject({ status: 401 });
    expect(await form("/get_face_params", { name: "张三", id_no: "1" })).toMatchObject({ status: 400 });
    expect(await json("GetFaceParams", { name: "张", idNo: ID_NO })).toMatchObject({ status: 400 });
    expect((await upstreamSeen(upstream)).calls).toBe(before.calls);
  });

  test("counts each call by route and status", async () => {
    await form("/get_result", { order_no: "o2" });
    const text = await (await fetch(`${peer.http}/metrics`)).text();
    expect(text).toMatch(
      /^http_request_duration_seconds_count\{method="POST",route="\/get_result",status_code="200"\} \d/m,
    );
  });
});

describe("the usual stack on grpc-js", () => {
  const { getFaceParams, getResult } = FaceVerificationService.method;
  const metadata = { authorization: `Bearer ${TOKEN}` };
  let peer: Program;
  let client: GrpcClient;
  beforeAll(async () => {
    peer = await startProgram("bench/peers/usual-grpc-js.ts", { UPSTREAM: upstream.http, TOKEN });
    client = new GrpcClient(new URL(peer.grpc).host, grpc.credentials.createInsecure());
  }, 60_000);
  afterAll(() => client.close());

  test("asks the vendor and answers", async () => {
    const before = await upstreamSeen(upstream);
    const launch = await client.unary(getFaceParams, { name: "张三", idNo: ID_NO }, { metadata });
    expect(launch.sign).toMatch(/^[0-9A-F]{40}$/);
    const result = await client.unary(getResult, { orderNo: "o1" }, { metadata });
    expect(result).toMatchObject({ code: "0", liveRate: 99, similarity: 95.5 });
    expect((await upstreamSeen(upstream)).calls - before.calls).toBe(3);
  });

  test("refuses a wrong token and a field that breaks a rule, and counts each call by method and code", async () => {
    const wrong = { metadata: { authorization: "Bearer wrong" } };
    await expect(client.unary(getResult, { orderNo: "o1" }, wrong)).rejects.toMatchObject({
      code: grpc.status.UNAUTHENTICATED,
    });
    await expect(client.unary(getResult, { orderNo: "" }, { metadata })).rejects.toMatchObject({
      code: grpc.status.INVALID_ARGUMENT,
    });
    const text = await (await fetch(`${peer.http}/metrics`)).text();
    for (const code of ["UNAUTHENTICATED", "INVALID_ARGUMENT"]) {
      expect(text).toContain(`_count{grpc_method="GetResult",grpc_code="${code}"} 1`);
    }
  });
});
