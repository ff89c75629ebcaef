import { expect, test } from "vitest";
import {
  FaceVerificationService,
  PhotoType,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import { startHarness } from "../support/harness.ts";

const { getFaceParams, getResult } = FaceVerificationService.method;
const person = { name: "张三", idNo: "11010519491231002X" };
/** The head of a JPEG, which is all that anybody looks at here. */
const photo = Buffer.concat([Buffer.from("ffd8ffe000104a46494600010101", "hex"), Buffer.alloc(30_000, 7)]);

const EDITIONS = [
  ["basic", "/api/server/getfaceid"],
  ["enhanced", "/api/server/getAdvFaceId"],
  ["plus", "/api/server/getPlusFaceId"],
] as const;
const CASES = EDITIONS.flatMap(([edition, path]) =>
  (["app_id", "appId"] as const).map((tokenParam) => ({ edition, path, tokenParam })),
);

test.each(EDITIONS.map(([edition]) => edition))(
  "the device and SDK data of the %s edition are passed through, in both shapes",
  async (edition) => {
    for (const answers of ["captured", "printed"] as const) {
      await using harness = await startHarness({ sandbox: { answers }, env: { FACEID_EDITION: edition } });
      const { body } = await harness.form("/get_face_params", { name: person.name, id_no: person.idNo });
      expect((await harness.playSdk(body.result)).status).toBe(200);
      const orderNo = body.result.order_no as string;
      const captured = answers === "captured";
      const overForm = await harness.form("/get_result", { order_no: orderNo });
      expect(overForm.body.result).toMatchObject({
        verdict: "PASSED",
        sdk_version: "1.12.12",
        ori_code: captured ? "0" : null,
        risk_info:
          edition === "basic"
            ? null
            : {
                device_info_level: "1",
                device_info_tag: null,
                risk_info_level: captured ? null : "1",
                risk_info_tag: null,
              },
      });
      const overGrpc = await harness.grpcClient.unary(getResult, { orderNo });
      expect(overGrpc.sdkVersion).toBe("1.12.12");
      expect(overGrpc.riskInfo?.deviceInfoLevel).toBe(edition === "basic" ? undefined : "1");
      expect(overGrpc.riskInfo?.deviceInfoTag).toBeUndefined();
      const { body: overJson } = await harness.json("GetResult", { orderNo });
      expect(overJson.oriCode).toBe(captured ? "0" : undefined);
      // Nothing of it is logged.
      expect(JSON.stringify(harness.logs)).not.toMatch(/risk_?info|device_?info|1\.12\.12/i);
    }
  },
);

test.each([
  ["66660039", "NO_SOURCE_PHOTO", "OTHER_CHANNEL"],
  ["66660037", "CAPTURE_UNUSABLE", "RETRY"],
])(
  "the code %s of a query blames the caller's photo only if there was one",
  async (code, reason, nextStep) => {
    await using harness = await startHarness();
    const orderWith = async (fields: object) => {
      const { body } = await harness.json("GetFaceParams", { ...person, ...fields });
      const { orderNo, faceId, appId, version, nonce, userId, sign } = body;
      await harness.playSdk({ orderNo, faceId, appId, version, nonce, userId, sign }, code);
      return orderNo as string;
    };
    const bare = await harness.json("GetResult", { orderNo: await orderWith({ userId: "bare" }) });
    expect(bare.body).toMatchObject({
      verdict: "VERDICT_INCONCLUSIVE",
      reason: `VERDICT_REASON_${reason}`,
      nextStep: `NEXT_STEP_${nextStep}`,
      code,
    });
    const own = { userId: "own", photo: photo.toString("base64"), photoType: PhotoType.CLEAR };
    const withPhoto = await harness.form("/get_result", { order_no: await orderWith(own) });
    expect([withPhoto.status, withPhoto.body.reason]).toEqual([400, "PHOTO_REJECTED"]);
  },
);

test.each(CASES)(
  "the edition $edition works end to end with $tokenParam",
  async ({ edition, path, tokenParam }) => {
    // The app id is entitled to this edition and no other, so a call of a wrong path would be refused.
    await using harness = await startHarness({
      sandbox: { editions: [edition] },
      env: { FACEID_EDITION: edition, FACEID_TOKEN_PARAM: tokenParam },
    });
    const { body } = await harness.form("/get_face_params", { name: person.name, id_no: person.idNo });
    expect(body.code).toBe("0");
    expect((await harness.playSdk(body.result)).status).toBe(200);
    const result = await harness.form("/get_result", { order_no: body.result.order_no });
    expect(result.body).toMatchObject({ code: "0", result: { verdict: "PASSED" } });

    expect(harness.wire.of("upload").map((call) => call.path)).toEqual([path]);
    const asked = ["access_token", "sign_ticket", "nonce_ticket"] as const;
    for (const { query } of asked.flatMap((endpoint) => harness.wire.of(endpoint))) {
      expect(query[tokenParam]).toBe(harness.sandbox.appId);
      expect(query).not.toHaveProperty(tokenParam === "appId" ? "app_id" : "appId");
    }
    expect(harness.sandbox.breaches).toEqual([]);
  },
);

test.each(
  EDITIONS.flatMap(([edition]) => [
    { edition, photoType: PhotoType.WATERMARKED, sent: "1" },
    { edition, photoType: PhotoType.CLEAR, sent: "2" },
  ]),
)("the edition $edition sends the caller's photo as type $sent", async ({ edition, photoType, sent }) => {
  await using harness = await startHarness({
    sandbox: { editions: [edition] },
    env: { FACEID_EDITION: edition },
  });
  const overGrpc = await harness.grpcClient.unary(getFaceParams, { ...person, photo, photoType });
  const json = { ...person, userId: "another", photo: photo.toString("base64"), photoType };
  const overJson = await harness.json("GetFaceParams", json);
  expect(overJson.status).toBe(200);

  for (const { body } of harness.wire.of("upload")) {
    expect(body["sourcePhotoType"]).toBe(sent);
    expect(Buffer.from(body["sourcePhotoStr"] ?? "", "base64").equals(photo)).toBe(true);
    expect(body["sourcePhotoStr"]).toMatch(/^[0-9A-Za-z+/]+=*$/);
  }
  expect(harness.wire.of("upload")).toHaveLength(2);
  harness.sandbox.complete(overGrpc.orderNo, "passed");
  const { verdict } = await harness.grpcClient.unary(getResult, { orderNo: overGrpc.orderNo });
  expect(verdict).toBe(Verdict.PASSED);
  expect(harness.sandbox.breaches).toEqual([]);
});

test("an edition that the app id is not entitled to is a misconfiguration, not the person's failure", async () => {
  await using harness = await startHarness({
    sandbox: { editions: ["basic"] },
    env: { FACEID_EDITION: "plus" },
  });
  const { status, body } = await harness.form("/get_face_params", { name: person.name, id_no: person.idNo });
  expect([status, body.code, body.reason]).toEqual([502, "66660030", "UPSTREAM_MISCONFIGURED"]);
});
