import { gzipSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { grpcFrame } from "../support/grpc-frame.ts";
import { type Harness, startHarness } from "../support/harness.ts";

const { getFaceParams } = FaceVerificationService.method;
const good = { name: "张三", id_no: "11010519491231002X" };

let harness: Harness;
let callsBefore: number;
const businessCalls = () => {
  const { calls } = harness.sandbox.stats;
  return Object.entries(calls)
    .filter(([endpoint]) => !/token|sign/i.test(endpoint))
    .reduce((sum, [, count]) => sum + Number(count), 0);
};
beforeAll(async () => {
  harness = await startHarness();
  callsBefore = businessCalls();
});
afterAll(async () => {
  // The point of checking first: nothing of all this has reached the vendor.
  expect(businessCalls()).toBe(callsBefore);
  await harness.stop();
});

/** The violations of a failed gRPC call, from the details of google.rpc.Status. */
function violationsOf(error: grpc.ServiceError): string[] {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const { details } = fromBinary(StatusSchema, bytes as Buffer);
  return details.flatMap((any) => {
    const bad = anyUnpack(any, BadRequestSchema);
    return bad ? bad.fieldViolations.map(({ field, reason }) => `${field} ${reason}`) : [];
  });
}

describe("each violated rule is reported with its field on every door", () => {
  test.each([
    ["no name", { ...good, name: "" }, ["name string.min_len"]],
    ["a name of one character", { ...good, name: "张" }, ["name string.min_len"]],
    ["a name of blanks", { ...good, name: "   " }, ["name string.min_len"]],
    ["a long name", { ...good, name: "张".repeat(65) }, ["name string.max_len"]],
    ["a control character in the name", { ...good, name: "张\u0007三" }, ["name name.control"]],
    ["no ID number", { ...good, id_no: "" }, ["id_no string.pattern"]],
    ["a short ID number", { ...good, id_no: "1234" }, ["id_no string.pattern"]],
    [
      "a symbol in the ID number",
      { ...good, id_no: "1101051949123100-X" },
      ["id_no string.pattern", "id_no id_no.characters"],
    ],
    ["a wrong check digit", { ...good, id_no: "110105194912310021" }, ["id_no id_no.check_digit"]],
    ["an impossible date", { ...good, id_no: "110105194902310020" }, ["id_no id_no.birth_date"]],
    ["a user id with a dash", { ...good, user_id: "a-b" }, ["user_id string.pattern"]],
    ["a long user id", { ...good, user_id: "a".repeat(31) }, ["user_id string.pattern"]],
    ["two at once", { name: "", id_no: "" }, ["name string.min_len", "id_no string.pattern"]],
  ])("a request with %s violates the same rules on every door", async (_what, fields, expected) => {
    const form = await harness.form("/get_face_params", fields);
    expect(form.status).toBe(400);
    expect(form.body).toMatchObject({ code: "400", reason: "INVALID_REQUEST" });
    const named = form.body.fields.map((f: { field: string; rule: string }) => `${f.field} ${f.rule}`);
    expect(named).toEqual(expected);
    for (const value of Object.values(fields)) {
      if (value.trim() !== "")
        expect(JSON.stringify(form.body)).not.toContain(JSON.stringify(value).slice(1, -1));
    }

    const message = {
      name: fields.name,
      idNo: fields.id_no,
      ...("user_id" in fields && { userId: fields.user_id }),
    };
    const json = await harness.json("GetFaceParams", message);
    expect([json.status, json.body.code]).toEqual([400, "invalid_argument"]);
    const bad = json.body.details.find((detail: { type: string }) => detail.type === "google.rpc.BadRequest");
    expect(
      bad.debug.fieldViolations.map((v: { field: string; reason: string }) => `${v.field} ${v.reason}`),
    ).toEqual(expected);

    const error = await harness.grpcClient
      .unary(getFaceParams, message)
      .catch((e: unknown) => e as grpc.ServiceError);
    expect(error).toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
    expect(violationsOf(error as grpc.ServiceError)).toEqual(expected);
  });
});

describe("the form door reads strictly", () => {
  test.each([
    ["a broken escape", "name=%zz&id_no=11010519491231002X", 400, "MALFORMED_REQUEST", "name", "form.escape"],
    ["broken UTF-8", "name=%ff%fe&id_no=11010519491231002X", 400, "MALFORMED_REQUEST", "name", "form.utf8"],
    ["a duplicate field", "name=a&name=b", 400, "MALFORMED_REQUEST", "name", "form.duplicate"],
  ])("a form with %s is refused", async (_what, body, status, reason, field, rule) => {
    const answer = await harness.form("/get_face_params", body);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ code: String(status), reason, fields: [{ field, rule }] });
  });

  test.each([
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded; charset=gbk",
  ])("a form of content type %s is 415", async (type) => {
    const answer = await harness.form("/get_face_params", "{}", { "content-type": type });
    expect(answer.status).toBe(415);
    expect(answer.body).toMatchObject({
      reason: "UNSUPPORTED_MEDIA_TYPE",
      fields: [{ field: "content-type" }],
    });
  });

  test("a form without content type and body is 415", async () => {
    const response = await fetch(`${harness.http}/get_result`, { method: "POST" });
    expect([response.status, await response.json()]).toMatchObject([
      415,
      { reason: "UNSUPPORTED_MEDIA_TYPE" },
    ]);
  });

  test("a form over the size limit is 413", async () => {
    const answer = await harness.form("/get_face_params", `name=${"a".repeat(70_000)}`);
    expect([answer.status, answer.body.reason]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
  });

  test("a form route requested by GET is 405", async () => {
    const response = await fetch(`${harness.http}/get_face_params`);
    expect(response.headers.get("allow")).toBe("POST");
    expect([response.status, await response.json()]).toMatchObject([405, { reason: "ROUTE_NOT_FOUND" }]);
  });

  test("a form error is in English if the caller requests it", async () => {
    const answer = await harness.form("/get_result", {}, { "accept-language": "en-GB,en;q=0.9" });
    expect(answer.body.msg).toMatch(/^[\x20-\x7e]+$/);
    expect((await harness.form("/get_result", {})).body.msg).toMatch(/\p{Script=Han}/u);
  });
});

describe("a name that is not valid UTF-8 never becomes another name", () => {
  /** 张三 in GBK. */
  const gbk = Buffer.from("d5c5c8fd", "hex");
  const idNo = Buffer.from("11010519491231002X");
  const asJson = (name: Buffer) =>
    Buffer.concat([Buffer.from('{"name":"'), name, Buffer.from('","idNo":"11010519491231002X"}')]);
  const asProto = (name: Buffer) =>
    Buffer.concat([Buffer.of(0x0a, name.length), name, Buffer.of(0x12, idNo.length), idNo]);
  const service = "/faceverification.v1.FaceVerificationService";

  test.each([
    ["JSON", "application/json", asJson(gbk)],
    ["JSON that Connect reads", "application/json; charset=utf-8", asJson(gbk)],
    ["gzip", "application/json", gzipSync(asJson(gbk))],
    ["Connect", "application/proto", asProto(gbk)],
    ["gRPC-Web", "application/grpc-web+proto", grpcFrame(asProto(gbk))],
    ["gRPC-Web with JSON", "application/grpc-web+json", grpcFrame(asJson(gbk))],
    ["replacement characters as such, by JSON", "application/json", asJson(Buffer.from("\uFFFD\uFFFD三"))],
    ["replacement characters as such, by Connect", "application/proto", asProto(Buffer.from("\uFFFD三"))],
  ])("an invalid name is refused over HTTP: %s", async (name, type, body) => {
    const response = await fetch(`${harness.http}${service}/GetFaceParams`, {
      method: "POST",
      headers: { "content-type": type, ...(name === "gzip" && { "content-encoding": "gzip" }) },
      body,
    });
    const text = decodeURIComponent(await response.text());
    // INVALID_ARGUMENT, by its name or its number.
    expect(text).toMatch(/"invalid_argument"|grpc-status: 3\b/);
  });

  test.each([
    ["gRPC", asProto(gbk)],
    ["replacement characters as such", asProto(Buffer.from("\uFFFD\uFFFD三"))],
  ])("an invalid name is refused over gRPC: %s", async (_name, body) => {
    const client = new grpc.Client(new URL(harness.grpc).host, grpc.credentials.createInsecure());
    const same = (bytes: Buffer) => bytes;
    const error = await new Promise<grpc.ServiceError | null>((resolve) =>
      client.makeUnaryRequest(`${service}/GetFaceParams`, same, same, body, (failure) => resolve(failure)),
    );
    client.close();
    expect(error?.code).toBe(grpc.status.INVALID_ARGUMENT);
  });

  test("an invalid name is refused as a form, escaped, raw, and as replacement characters", async () => {
    const rest = "&id_no=11010519491231002X";
    const escaped = await harness.form("/get_face_params", `name=%d5%c5%c8%fd${rest}`);
    expect(escaped.body).toMatchObject({ reason: "MALFORMED_REQUEST", fields: [{ rule: "form.utf8" }] });
    const bare = await fetch(`${harness.http}/get_face_params`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: Buffer.concat([Buffer.from("name="), gbk, Buffer.from(rest)]),
    });
    expect(await bare.json()).toMatchObject({ reason: "MALFORMED_REQUEST", fields: [{ rule: "form.utf8" }] });
    const replaced = await harness.form("/get_face_params", `name=%EF%BF%BD%EF%BF%BD${rest}`);
    expect(replaced.body).toMatchObject({
      reason: "INVALID_REQUEST",
      fields: [{ field: "name", rule: "name.replacement" }],
    });
  });

  test.each([
    ["JSON", "encoding=json&message=%7B%22orderNo%22%3A%22%FF%FE%22%7D"],
    ["protobuf", `encoding=proto&base64=1&message=${Buffer.of(0x0a, 2, 0xff, 0xfe).toString("base64url")}`],
  ])("an invalid order number is refused by GET with %s", async (_name, query) => {
    const response = await fetch(`${harness.http}${service}/GetResult?connect=v1&${query}`);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      400,
      "invalid_argument",
    ]);
  });
});

describe("order numbers that were not minted here", () => {
  test.each(["0".repeat(32), "A".repeat(32), "short"])(
    "the order number %s is refused on the public listener",
    async (orderNo) => {
      const form = await harness.form("/get_result", { order_no: orderNo });
      expect([form.status, form.body.reason]).toEqual([404, "ORDER_NOT_FOUND"]);
      const json = await harness.json("GetResult", { orderNo });
      expect([json.status, json.body.code]).toEqual([404, "not_found"]);
    },
  );

  test("a malformed order number is an invalid request", async () => {
    const form = await harness.form("/get_result", { order_no: "a-b" });
    expect([form.status, form.body.reason]).toEqual([400, "INVALID_REQUEST"]);
  });

  test("strangers may not supply an order number", async () => {
    const json = await harness.json("GetFaceParams", {
      name: "张三",
      idNo: "11010519491231002X",
      orderNo: "mine1",
    });
    expect(json.body.code).toBe("invalid_argument");
    expect(JSON.stringify(json.body.details)).toContain("order_no.internal");
  });
});

describe("what Connect itself refuses", () => {
  test("invalid JSON and an unknown method are refused", async () => {
    const url = `${harness.http}/faceverification.v1.FaceVerificationService`;
    const headers = { "content-type": "application/json" };
    const broken = await fetch(`${url}/GetResult`, { method: "POST", headers, body: "{" });
    expect(broken.status).toBe(400);
    expect(await broken.json()).toMatchObject({
      code: "invalid_argument",
      message: "the request cannot be read",
    });
    const unknown = await fetch(`${url}/NoSuchMethod`, { method: "POST", headers, body: "{}" });
    expect(unknown.status).toBe(404);
  });

  test.each([
    ["connect", "application/json", (json: Buffer) => json],
    ["grpc-web", "application/grpc-web+json", grpcFrame],
  ])("a field of the wrong type is not quoted in the response of %s", async (door, type, body) => {
    const answer = await fetch(`${harness.http}/faceverification.v1.FaceVerificationService/GetFaceParams`, {
      method: "POST",
      headers: { "content-type": type, "x-request-id": `quote-${door}` },
      body: body(Buffer.from(JSON.stringify({ name: ["Marked Name"], idNo: { a: "11010519491231002X" } }))),
    });
    const text = decodeURIComponent(await answer.text());
    expect(text).toContain("the request cannot be read");
    expect(text).not.toMatch(/Marked|11010519491231002X/);
    expect(harness.logs).toContainEqual(
      expect.objectContaining({
        event: "request_refused",
        request_id: `quote-${door}`,
        door,
        path: "GetFaceParams",
        outcome: "MALFORMED_REQUEST",
      }),
    );
  });

  test("a message over the size limit is refused", async () => {
    const json = await harness.json("GetFaceParams", { name: "a".repeat(1_200_000) });
    expect(json.body.code).toBe("resource_exhausted");
  });

  test("a photo without a photo type is refused", async () => {
    const json = await harness.json("GetFaceParams", {
      name: "张三",
      idNo: "11010519491231002X",
      photo: "AQID",
    });
    expect(json.body.code).toBe("invalid_argument");
    expect(JSON.stringify(json.body.details)).toContain("photo.type");
  });
});
