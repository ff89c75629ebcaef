import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { type Harness, startHarness } from "../support/harness.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
let users = 0;
/** Somebody with a user id of their own: the vendor makes one user wait between two launches. */
const person = () => ({ name: "张三", id_no: "11010519491231002X", user_id: `user${++users}` });
const TOKEN = "0123456789abcdef";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ env: { GRPC_AUTH_TOKENS: `billing:${TOKEN}` } });
});
afterAll(() => harness?.stop());

const lineOf = (requestId: string) => harness.logs.filter((line) => line["request_id"] === requestId);

test("a call is logged as one line with caller, method, duration and the vendor's share", async () => {
  const { body } = await harness.form("/get_face_params", person(), { "x-request-id": "line-1" });
  expect(lineOf("line-1")).toEqual([
    {
      level: "info",
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      event: "call_finished",
      request_id: "line-1",
      door: "form",
      method: "GetFaceParams",
      caller: "app",
      peer: "127.0.0.1",
      outcome: "OK",
      http_status: 200,
      duration_ms: expect.any(Number),
      upstream: {
        upload: { ms: expect.any(Number), calls: 1, code: "0", biz_seq_no: expect.any(String) },
        nonce_ticket: {
          ms: expect.any(Number),
          calls: 1,
          code: "0",
          biz_seq_no: expect.stringMatching(/^\d{32}$/),
        },
      },
      order_no: body.result.order_no,
      launch_within_ms: expect.any(Number),
      msg: "call finished",
    },
  ]);
});

test("a failed call is logged with its reason and gRPC code", async () => {
  const metadata = { "x-request-id": "line-2", authorization: `Bearer ${TOKEN}` };
  harness.sandbox.faults.add({ endpoint: "query", kind: "status" });
  const call = harness.grpcClient.unary(
    FaceVerificationService.method.getResult,
    { orderNo: "mine1" },
    { metadata },
  );
  await expect(call).rejects.toMatchObject({ code: 14 });
  expect(lineOf("line-2")).toMatchObject([
    {
      level: "warn",
      caller: "billing",
      door: "grpc",
      outcome: "UPSTREAM_UNAVAILABLE",
      grpc_code: 14,
      upstream: { query: { calls: 1 } },
      error: "query: status",
    },
  ]);
});

test("concurrent calls by several callers are logged without mixing their fields", async () => {
  const ids = Array.from({ length: 8 }, (_, i) => `crowd-${i}`);
  await Promise.all(ids.map((id) => harness.form("/get_result", { order_no: "x1" }, { "x-request-id": id })));
  for (const id of ids) expect(lineOf(id)).toHaveLength(1);
  expect(new Set(ids.map((id) => lineOf(id)[0]?.["trace_id"]))).toHaveProperty("size", ids.length);
});

describe("x-request-id and traceparent", () => {
  const headers = { "x-request-id": "trace-1", traceparent: TRACEPARENT };
  const ours = new RegExp(`^00-${TRACE_ID}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`);

  test.each([
    ["form", () => harness.form("/get_face_params", person(), headers)],
    ["Connect", () => harness.json("GetResult", { orderNo: "x1" }, headers)],
  ])("x-request-id and traceparent are returned by %s, and the log names the trace", async (_door, call) => {
    const answer = await call();
    expect(answer.headers.get("x-request-id")).toBe("trace-1");
    expect(answer.headers.get("traceparent")).toMatch(ours);
    expect(lineOf("trace-1").at(-1)).toMatchObject({ trace_id: TRACE_ID });
  });

  test.each([
    ["missing", undefined],
    ["not in its format", "hello"],
    ["all zeros", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`],
    ["of version ff", `ff-${TRACE_ID}-00f067aa0ba902b7-01`],
  ])("a traceparent that is %s starts a new trace", async (_what, traceparent) => {
    const answer = await harness.form("/get_face_params", person(), { ...(traceparent && { traceparent }) });
    expect(answer.headers.get("traceparent")).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(answer.headers.get("traceparent")).not.toContain(TRACE_ID);
  });

  test("x-request-id and traceparent are not sent to the vendor", async () => {
    const before = harness.wire.calls.length;
    await harness.form("/get_face_params", person(), { ...headers, tracestate: "a=b", baggage: "c=d" });
    const names = harness.wire.calls.slice(before).flatMap((call) => Object.keys(call.headers));
    expect(harness.wire.calls.length).toBe(before + 2);
    expect([...new Set(names)].sort()).toEqual([
      "accept",
      "connection",
      "content-length",
      "content-type",
      "host",
    ]);
  });
});
