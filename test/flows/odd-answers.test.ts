import { afterAll, beforeAll, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import { type Harness, startHarness } from "../support/harness.ts";

// A vendor whose answer to a query says what it cannot mean: that is no value, and never a call without an answer.

const { getResult } = FaceVerificationService.method;
let harness: Harness;
let orderNo: string;

beforeAll(async () => {
  harness = await startHarness();
  const { body } = await harness.form("/get_face_params", { name: "张三", id_no: "11010519491231002X" });
  orderNo = body.result.order_no;
});
afterAll(() => harness.stop());

function answerQueries(body: object, status = 200): void {
  harness.wire.instead = ({ endpoint }) =>
    endpoint === "query" ? { status, body: JSON.stringify(body) } : undefined;
}

/** A pass with these fields in its `result`. */
const passWith = (fields: Readonly<Record<string, unknown>>) =>
  answerQueries({ code: "0", result: { orderNo, liveRate: "99", similarity: "88.01", ...fields } });

/** The same order by each door. */
async function everyDoor() {
  const form = await harness.form("/get_result", { order_no: orderNo });
  const json = await harness.json("GetResult", { orderNo });
  const byConnect = await harness.json(
    "GetResult",
    { orderNo },
    { "content-type": "application/json; charset=utf-8" },
  );
  const grpc = await harness.grpcClient.unary(getResult, { orderNo });
  return { form, json, byConnect, grpc };
}

const unreadable = () =>
  harness.logs.filter(({ event, method }) => event === "call_finished" && method === "GetResult").at(-1)?.[
    "unreadable"
  ];

test.each([
  ["a zero date", { occurredTime: "00010101000000" }, ["occurredTime"]],
  ["a day not in the calendar", { occurredTime: "20220231104717" }, ["occurredTime"]],
  ["no date", { occurredTime: "soon" }, ["occurredTime"]],
])("a pass with %s is a pass without a time, on every door", async (_what, result, named) => {
  passWith(result);
  const { form, json, byConnect, grpc } = await everyDoor();
  expect([form.status, json.status, byConnect.status]).toEqual([200, 200, 200]);
  expect(form.body.result).toMatchObject({ verdict: "PASSED", occurred_at: null });
  for (const { body } of [json, byConnect]) {
    expect(body).toMatchObject({ verdict: "VERDICT_PASSED", liveRate: 99 });
    expect(body).not.toHaveProperty("occurredAt");
  }
  expect(grpc.occurredAt).toBeUndefined();
  expect(unreadable()).toEqual(named);
});

test.each([["-1"], ["101"], ["9".repeat(400)], ["Infinity"], ["NaN"]])(
  "a pass with scores of %s is a pass without scores",
  async (score) => {
    passWith({ liveRate: score, similarity: score });
    const { form, json, grpc } = await everyDoor();
    expect(form.body.result).toMatchObject({ verdict: "PASSED", live_rate: null, similarity: null });
    expect(json.body).not.toHaveProperty("liveRate");
    expect([grpc.liveRate, grpc.similarity]).toEqual([undefined, undefined]);
    expect(unreadable()).toEqual(["liveRate", "similarity"]);
    // What stood there is not repeated.
    expect(JSON.stringify(harness.logs)).not.toContain("9".repeat(400));
  },
);

test("a date with separators is accepted", async () => {
  passWith({ occurredTime: "2022-03-29 10:47:17" });
  const { form, json } = await everyDoor();
  expect([form.body.result.occurred_at, json.body.occurredAt]).toEqual(Array(2).fill("2022-03-29T02:47:17Z"));
  expect(unreadable()).toBeUndefined();
});

test("a pass from a device that the vendor calls dangerous is a pass with its risk", async () => {
  const riskInfo = {
    deviceInfoLevel: "4",
    deviceInfoTag: "root,hook",
    riskInfoLevel: "4",
    riskInfoTag: "agent",
  };
  passWith({ riskInfo });
  const { form, json, grpc } = await everyDoor();
  const snake = {
    device_info_level: "4",
    device_info_tag: "root,hook",
    risk_info_level: "4",
    risk_info_tag: "agent",
  };
  expect(form.body).toMatchObject({ code: "0", result: { verdict: "PASSED", risk_info: snake } });
  expect(json.body).toMatchObject({ verdict: "VERDICT_PASSED", nextStep: "NEXT_STEP_NONE", riskInfo });
  expect(grpc.riskInfo).toMatchObject(riskInfo);
  expect(JSON.stringify(harness.logs)).not.toContain("root,hook");
});

test.each([
  ["data:image/jpeg;base64,/9j/4AAQ", "/9j/4AAQ", undefined],
  ["https://example.com/photo.jpg", "", ["photo"]],
  ["null", "", ["photo"]],
])("a pass with the photo %j is a pass with or without a photo", async (photo, expected, named) => {
  passWith({ photo, video: Buffer.from("a video").toString("base64") });
  const { verdict, media } = await harness.grpcClient.unary(getResult, { orderNo, includeMedia: true });
  expect(verdict).toBe(Verdict.PASSED);
  expect(Buffer.from(media?.photo ?? []).toString("base64")).toBe(expected);
  expect(Buffer.from(media?.video ?? []).toString()).toBe("a video");
  expect(unreadable()).toEqual(named);
});

test("an HTTP error status with a code in its JSON is an error that keeps the code", async () => {
  answerQueries({ code: "66660002", msg: "x", bizSeqNo: "26112700000000000000000000000001" }, 400);
  const { status, body } = await harness.form("/get_result", { order_no: orderNo });
  expect([status, body.code, body.reason]).toEqual([503, "66660002", "UPSTREAM_UNAVAILABLE"]);
  const line = harness.logs.filter(({ event }) => event === "call_finished").at(-1);
  expect(line).toMatchObject({
    upstream_code: "66660002",
    biz_seq_no: "26112700000000000000000000000001",
    cause_detail: "HTTP 400",
  });
});
