import { describe, expect, test } from "vitest";
import { PHOTO_BASE64, VIDEO_BASE64 } from "../../src/sandbox/vendor/media.ts";
import { isValidIdentity } from "../../src/sandbox/vendor/person.ts";
import { SCENARIOS } from "../../src/sandbox/vendor/scenarios.ts";
import { PERSON, withSandbox } from "./merchant.ts";

const atQuery = SCENARIOS.filter(({ at }) => at === "query");
const atUpload = SCENARIOS.filter(({ at }) => at === "upload");

test("the catalogue has unique names and ID numbers, which are valid and belong to no person", () => {
  expect(SCENARIOS.map(({ name }) => name)).toEqual([
    "passed",
    "not_same_person",
    "no_source_photo",
    "name_id_mismatch",
    "no_such_id",
    "invalid_identity",
    "liveness_attack",
    "blurred",
    "occluded",
    "no_face",
    "daily_limit",
    "blocked",
    "abandoned",
    "slow_media",
    "busy",
    "unknown_code",
    "upload_invalid_identity",
    "upload_daily_limit",
  ]);
  expect(new Set(SCENARIOS.map(({ idNo }) => idNo)).size).toBe(SCENARIOS.length);
  for (const { idNo } of SCENARIOS) {
    expect(idNo).toMatch(/^119999\d{11}[\dX]$/);
    expect(isValidIdentity(PERSON.name, idNo)).toBe(true);
  }
});

describe.each(atQuery)("the scenario $name", ({ name, code, idNo, evidence }) => {
  test(`the outcome ${name} can be selected by name`, () =>
    withSandbox({}, async (sandbox, merchant) => {
      const pair = await merchant.refresh();
      const launch = await merchant.launch(pair);
      const played = await merchant.play({ ...launch, outcome: name });
      expect(played).toMatchObject({ code: "0", result: { outcome: name, isSuccess: code === "0" } });
      const answer = await merchant.query(pair.ticket, launch.order_no);
      expect(answer.code).toBe(code);
      expect(answer.result?.["orderNo"]).toBe(evidence ? launch.order_no : undefined);
      expect(answer.result?.["similarity"]).toBe(evidence?.similarity);
      expect(sandbox.breaches).toEqual([]);
    }));

  test(`the outcome ${name} can be selected by its ID number`, () =>
    withSandbox({}, async (sandbox, merchant) => {
      const pair = await merchant.refresh();
      const launch = await merchant.launch(pair, { idNo });
      expect(await merchant.query(pair.ticket, launch.order_no)).toMatchObject({ code: "66660011" });
      expect(await merchant.play(launch)).toMatchObject({ result: { outcome: name } });
      expect(await merchant.query(pair.ticket, launch.order_no)).toMatchObject({ code });
      expect(sandbox.breaches).toEqual([]);
    }));
});

test.each(atUpload)("the upload itself answers with $name", ({ name, code, idNo }) =>
  withSandbox({}, async (sandbox, merchant) => {
    const pair = await merchant.refresh();
    expect(await merchant.upload(pair.ticket, { idNo })).toMatchObject({ code });
    expect(sandbox.breaches).toEqual([]);
    const launch = await merchant.launch(pair);
    expect(await merchant.play({ ...launch, outcome: name })).toMatchObject({ code: "400" });
  }),
);

test("the documented sample numbers with too few digits are accepted, as nothing known contradicts it", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const { ticket } = await merchant.refresh();
    expect(await merchant.upload(ticket, { idNo: "4311120022232323" })).toMatchObject({ code: "0" });
    expect(sandbox.breaches).toEqual([]);
  }));

test("a query selects photo, video or both by getFile, and the SDK's version by queryVersion", () =>
  withSandbox({}, async (_sandbox, merchant) => {
    const pair = await merchant.refresh();
    const launch = await merchant.launch(pair);
    await merchant.play(launch);
    const files = async (getFile?: string) => {
      const { result } = await merchant.query(pair.ticket, launch.order_no, { getFile });
      return [result?.["photo"], result?.["video"]];
    };
    expect(await files()).toEqual([undefined, undefined]);
    expect(await files("0")).toEqual([undefined, undefined]);
    expect(await files("1")).toEqual([PHOTO_BASE64, VIDEO_BASE64]);
    expect(await files("2")).toEqual([PHOTO_BASE64, undefined]);
    expect(await files("3")).toEqual([undefined, VIDEO_BASE64]);
    const { result } = await merchant.query(pair.ticket, launch.order_no, { queryVersion: "1.0" });
    expect(result).toMatchObject({
      trtcFlag: "Y",
      occurredTime: expect.stringMatching(/^\d{14}$/) as string,
    });
  }));

test("the files of slow_media are available a second after the verdict", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const pair = await merchant.refresh();
    const launch = await merchant.launch(pair);
    await merchant.play({ ...launch, outcome: "slow_media" });
    const photo = async () =>
      (await merchant.query(pair.ticket, launch.order_no, { getFile: "2" })).result?.["photo"];
    expect(await photo()).toBeUndefined();
    sandbox.advance(1000);
    expect(await photo()).toBe(PHOTO_BASE64);
  }));

test("a user who abandons an attempt may start again with a new NONCE ticket", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const pair = await merchant.refresh();
    const first = await merchant.launch(pair);
    await merchant.play({ ...first, outcome: "abandoned" });
    sandbox.advance(2000);
    const second = await merchant.launch(pair);
    expect(
      await merchant.play({ ...second, order_no: first.order_no, face_id: first.face_id }),
    ).toMatchObject({
      code: "0",
      result: { isSuccess: true },
    });
    expect(sandbox.breaches).toEqual([]);
  }));

describe("the formats that /sdk/verify accepts", () => {
  const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const forms: [string, (launch: Record<string, unknown>) => [body: unknown, contentType?: string]][] = [
    [
      "the whole answer of /get_face_params",
      (launch) => [{ code: "0", msg: "", result: launch, outcome: "blurred" }],
    ],
    [
      "the names that Connect prints",
      (launch) => [
        { outcome: "blurred", ...Object.fromEntries(Object.entries(launch).map(([k, v]) => [camel(k), v])) },
      ],
    ],
    [
      "a form",
      (launch) => [
        new URLSearchParams({ ...(launch as Record<string, string>), outcome: "blurred" }).toString(),
        "application/x-www-form-urlencoded",
      ],
    ],
    [
      "JSON sent as a form, as curl -d does",
      (launch) => [JSON.stringify({ ...launch, outcome: "blurred" }), "application/x-www-form-urlencoded"],
    ],
    [
      "the names of the Android SDK",
      (launch) => [
        {
          faceId: launch["face_id"],
          agreementNo: launch["order_no"],
          openApiAppId: launch["app_id"],
          openApiAppVersion: launch["version"],
          openApiNonce: launch["nonce"],
          openApiUserId: launch["user_id"],
          openApiSign: launch["sign"],
          outcome: "blurred",
        },
      ],
    ],
  ];
  test.each(forms)("/sdk/verify accepts %s", (_name, write) =>
    withSandbox({}, async (sandbox, merchant) => {
      const launch = await merchant.launch(await merchant.refresh());
      const [body, contentType] = write(launch);
      expect(await merchant.post("/sdk/verify", body, contentType)).toMatchObject({
        code: "0",
        result: { outcome: "blurred", error: { domain: "WBFaceErrorDomainCompareServer", code: "66660042" } },
      });
      expect(sandbox.breaches).toEqual([]);
    }),
  );

  test("an unknown outcome consumes neither ticket nor faceId", () =>
    withSandbox({}, async (_sandbox, merchant) => {
      const launch = await merchant.launch(await merchant.refresh());
      expect(await merchant.play({ ...launch, outcome: "nonsense" })).toMatchObject({ code: "400" });
      expect(await merchant.play(launch)).toMatchObject({ code: "0" });
    }));
});

test("the media have the formats of a PNG and an MP4", () => {
  expect(Buffer.from(PHOTO_BASE64, "base64").subarray(1, 4).toString()).toBe("PNG");
  expect(Buffer.from(VIDEO_BASE64, "base64").subarray(4, 8).toString()).toBe("ftyp");
});
