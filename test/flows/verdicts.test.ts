import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { NextStep, Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type Harness, startHarness } from "../support/harness.ts";

const { getFaceParams, getResult } = FaceVerificationService.method;
const person = { name: "张三", id_no: "11010519491231002X" };

let harness: Harness;
let users = 0;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

/** A fresh order that ended with the outcome. */
async function orderWith(outcome: string): Promise<string> {
  const launch = await harness.form("/get_face_params", { ...person, user_id: `verdict${users++}` });
  expect(launch.body).toMatchObject({ code: "0" });
  expect((await harness.playSdk(launch.body.result, outcome)).status).toBe(200);
  return launch.body.result.order_no;
}

describe("a verdict is HTTP 200, and code 0 only for a pass", () => {
  test.each([
    ["passed", "0", "PASSED", "SAME_PERSON", "NONE", true],
    ["not_same_person", "66660004", "FAILED", "NOT_SAME_PERSON", "NONE", true],
    ["name_id_mismatch", "66660010", "FAILED", "NAME_ID_MISMATCH", "CHECK_INPUT", true],
    ["no_such_id", "66660024", "FAILED", "NO_SUCH_ID_NUMBER", "CHECK_INPUT", false],
    ["invalid_identity", "66660015", "FAILED", "INVALID_IDENTITY", "CHECK_INPUT", false],
    ["liveness_attack", "66660023", "FAILED", "LIVENESS_ATTACK", "RETRY", false],
    ["blurred", "66660042", "INCONCLUSIVE", "CAPTURE_UNUSABLE", "RETRY", false],
    ["occluded", "66660041", "INCONCLUSIVE", "CAPTURE_UNUSABLE", "RETRY", false],
    ["no_source_photo", "66660005", "INCONCLUSIVE", "NO_SOURCE_PHOTO", "OTHER_CHANNEL", false],
    ["daily_limit", "66660017", "INCONCLUSIVE", "DAILY_LIMIT", "STOP_FOR_TODAY", false],
    ["abandoned", "66660011", "NOT_COMPLETED", "NO_RECORD", "RETRY", false],
  ])(
    "the outcome %s is its verdict with HTTP 200",
    async (outcome, code, verdict, reason, nextStep, billed) => {
      const orderNo = await orderWith(outcome);
      const form = await harness.form("/get_result", { order_no: orderNo });
      expect(form.status).toBe(200);
      expect(form.body).toMatchObject({
        code,
        result: { order_no: orderNo, verdict, reason, livemode: false },
      });
      expect(form.body.msg).toMatch(/\p{Script=Han}/u);
      const message = await harness.grpcClient.unary(getResult, { orderNo });
      expect(message).toMatchObject({
        orderNo,
        code,
        verdict: Verdict[verdict as keyof typeof Verdict],
        reason: VerdictReason[reason as keyof typeof VerdictReason],
        nextStep: NextStep[nextStep as keyof typeof NextStep],
        billed,
        livemode: false,
      });
    },
  );
});

describe("an outcome that is no verdict is an error on every door", () => {
  test.each([
    ["busy", "66660021", 503, "UPSTREAM_UNAVAILABLE", "unavailable", grpc.status.UNAVAILABLE],
    ["unknown_code", "66669999", 502, "UPSTREAM_UNEXPECTED", "internal", grpc.status.INTERNAL],
  ])(
    "the outcome %s is an error on every door",
    async (outcome, code, status, reason, connectCode, grpcCode) => {
      const orderNo = await orderWith(outcome);
      const form = await harness.form("/get_result", { order_no: orderNo });
      expect([form.status, form.body.code, form.body.reason]).toEqual([status, code, reason]);
      expect(form.body).not.toHaveProperty("result");
      const json = await harness.json("GetResult", { orderNo });
      expect(json.body.code).toBe(connectCode);
      const info = json.body.details.find(
        (detail: { type: string }) => detail.type === "google.rpc.ErrorInfo",
      );
      expect(info.debug).toMatchObject({ reason, metadata: { upstream_code: code } });
      expect(info.debug.metadata.biz_seq_no).toMatch(/\S/);
      await expect(harness.grpcClient.unary(getResult, { orderNo })).rejects.toMatchObject({
        code: grpcCode,
      });
    },
  );

  test.each([
    [{ kind: "status", status: 500 }, 503, "UPSTREAM_UNAVAILABLE"],
    // A query whose connection is reset is asked once more.
    [{ kind: "reset", times: 2 }, 503, "UPSTREAM_UNAVAILABLE"],
    [{ kind: "truncate" }, 503, "UPSTREAM_UNAVAILABLE"],
    [{ kind: "html" }, 502, "UPSTREAM_UNEXPECTED"],
  ])("a query that meets the fault %j is an error and no verdict", async (fault, status, reason) => {
    const orderNo = await orderWith("passed");
    harness.sandbox.faults.add({ endpoint: "query", times: 1, ...fault } as never);
    const form = await harness.form("/get_result", { order_no: orderNo });
    expect([form.status, form.body.reason]).toEqual([status, reason]);
    const retried = await harness.form("/get_result", { order_no: orderNo });
    expect(retried.body).toMatchObject({ code: "0" });
  });
});

test("a record older than three days has expired, by the time in its order number", async () => {
  let turnedMs = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + turnedMs };
  // The sandbox's tokens do not live for three days either, so the pair is renewed on the way; soon, at this overlap.
  await using later = await startHarness({ env: { TOKEN_OVERLAP: "3s" }, overrides: { clock } });
  const launch = await later.form("/get_face_params", person);
  const { order_no: orderNo } = launch.body.result;
  await later.playSdk(launch.body.result);
  expect((await later.form("/get_result", { order_no: orderNo })).body.result.verdict).toBe("PASSED");
  turnedMs = 3 * 24 * 60 * 60 * 1000 + 1000;
  later.sandbox.advance(turnedMs);
  const { status, body } = await later.form("/get_result", { order_no: orderNo });
  expect([status, body.code]).toEqual([200, "66660011"]);
  expect(body.result).toMatchObject({ verdict: "NOT_COMPLETED", reason: "EXPIRED" });
});

test("media come with the verdict if requested, by a separate call", async () => {
  const orderNo = await orderWith("passed");
  const without = await harness.grpcClient.unary(getResult, { orderNo });
  expect(without.media).toBeUndefined();
  const { media } = await harness.grpcClient.unary(getResult, { orderNo, includeMedia: true });
  expect(media?.photo.length).toBeGreaterThan(0);
  expect(media?.video.length).toBeGreaterThan(0);
});

test("an internal caller may supply its own order number and photo", async () => {
  const photo = Buffer.from("/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////2Q==", "base64");
  const launch = await harness.grpcClient.unary(getFaceParams, {
    name: "张三",
    idNo: "11010519491231002X",
    orderNo: "myOwnOrder1",
    userId: "photo1",
    photo,
    photoType: 2,
  });
  expect(launch.orderNo).toBe("myOwnOrder1");
  const result = await harness.grpcClient.unary(getResult, { orderNo: "myOwnOrder1" });
  expect(result.verdict).toBe(Verdict.NOT_COMPLETED);
  const outside = await harness.form("/get_result", { order_no: "myOwnOrder1" });
  expect([outside.status, outside.body.reason]).toEqual([404, "ORDER_NOT_FOUND"]);
});

test("no outcome makes the service violate the vendor's rules", () => {
  expect(harness.sandbox.breaches).toEqual([]);
});
