import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { type Answer, type Harness, startHarness } from "../support/harness.ts";

const person = { name: "张三", id_no: "11010519491231002X" };
const message = { name: person.name, idNo: person.id_no };
/** Tokens are there for internal callers, who alone get photo and video; others are only observed. */
const TOKEN = "s".repeat(20);
const shop = { authorization: `Bearer ${TOKEN}` };
const SERVICE = `/${FaceVerificationService.typeName}`;

let harness: Harness;
// biome-ignore lint/suspicious/noExplicitAny: a document looked into at many places
let document: any;
let ajv: Ajv2020;
beforeAll(async () => {
  harness = await startHarness({ env: { HTTP_AUTH_TOKENS: `shop:${TOKEN}`, HTTP_AUTH: "observe" } });
  document = await (await fetch(`${harness.http}/openapi.json`)).json();
  ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, "api");
});
afterAll(() => harness.stop());

const pointer = (text: string) => text.replaceAll("~", "~0").replaceAll("/", "~1");

/** Checks an answer against what the document says of this route and status. */
function documented({ status, body }: Answer, path: string, method: "post" | "get" = "post"): void {
  const response = document.paths[path]?.[method]?.responses[status];
  expect(response, `${method} ${path} ${status}`).toBeDefined();
  const ref = `api#/paths/${pointer(path)}/${method}/responses/${status}/content/application~1json/schema`;
  const validate = ajv.compile({ $ref: ref });
  expect(validate(body), JSON.stringify(validate.errors)).toBe(true);
}

test("the document is OpenAPI 3.1 and every reference in it resolves", () => {
  expect(document.openapi).toMatch(/^3\.1\./);
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#([^"]+)"/g)].map(([, ref = ""]) => ref);
  expect(refs.length).toBeGreaterThan(20);
  for (const ref of refs) {
    const target = ref
      .slice(1)
      .split("/")
      .reduce((at, key) => at?.[key], document);
    expect(target, ref).toBeDefined();
  }
});

test("the document describes every RPC and both form routes", () => {
  const rpcs = FaceVerificationService.methods.map(({ name }) => `${SERVICE}/${name}`);
  expect(Object.keys(document.paths).sort()).toEqual([...rpcs, "/get_face_params", "/get_result"].sort());
  const described = JSON.stringify(document.components.schemas);
  for (const { input, output } of FaceVerificationService.methods) {
    for (const { jsonName } of [...input.fields, ...output.fields]) {
      expect(described).toContain(`"${jsonName}":{`);
    }
  }
  // Comments come along: nothing is listed without a word about it.
  const { properties } = document.components.schemas.GetFaceParamsRequest;
  expect(Object.values(properties).filter((p) => !(p as { description: string }).description)).toEqual([]);
});

describe("real answers are as documented", () => {
  test("launch responses match the document on every route", async () => {
    documented(await harness.form("/get_face_params", { ...person, user_id: "api1" }), "/get_face_params");
    documented(
      await harness.json("GetFaceParams", { ...message, userId: "api2" }),
      `${SERVICE}/GetFaceParams`,
    );
  });

  test("result responses with and without scores match the document on every route, also by GET", async () => {
    for (const [i, outcome] of ["passed", "blurred", "abandoned"].entries()) {
      const launch = await harness.form("/get_face_params", { ...person, user_id: `api${3 + i}` });
      const orderNo = launch.body.result.order_no;
      await harness.playSdk(launch.body.result, outcome);
      documented(await harness.form("/get_result", { order_no: orderNo }), "/get_result");
      const request = { orderNo, includeMedia: outcome === "passed" };
      const posted = await harness.json("GetResult", request, shop);
      documented(posted, `${SERVICE}/GetResult`);
      const query = new URLSearchParams({
        connect: "v1",
        encoding: "json",
        message: JSON.stringify({ orderNo }),
      });
      const response = await fetch(`${harness.http}${SERVICE}/GetResult?${query.toString()}`);
      const got: Answer = {
        status: response.status,
        headers: response.headers,
        body: await response.json(),
      };
      documented(got, `${SERVICE}/GetResult`, "get");
      const { media: _media, bizSeqNo: _number, ...same } = posted.body;
      expect(got.body).toMatchObject(same);
    }
  });

  test("error responses match the document", async () => {
    documented(await harness.form("/get_face_params", {}), "/get_face_params");
    documented(await harness.form("/get_face_params", "name=%zz"), "/get_face_params");
    documented(
      await harness.form("/get_face_params", "{}", { "content-type": "text/plain" }),
      "/get_face_params",
    );
    documented(await harness.form("/get_face_params", `name=${"x".repeat(70_000)}`), "/get_face_params");
    documented(await harness.form("/get_result", { order_no: "x" }), "/get_result");
    documented(await harness.json("GetFaceParams", {}), `${SERVICE}/GetFaceParams`);
    documented(await harness.json("GetResult", { orderNo: "x" }), `${SERVICE}/GetResult`);
    harness.sandbox.faults.add({ endpoint: "upload", kind: "code", code: "66660021", times: 2 });
    documented(await harness.form("/get_face_params", { ...person, user_id: "api9" }), "/get_face_params");
    documented(
      await harness.json("GetFaceParams", { ...message, userId: "api10" }),
      `${SERVICE}/GetFaceParams`,
    );
  });

  test("a response that does not match the document is detected", async () => {
    const answer = await harness.form("/get_result", { order_no: "x" });
    const { reason: _reason, ...body } = answer.body;
    expect(() => documented({ ...answer, body }, "/get_result")).toThrow("reason");
  });
});

test("only GetResult, which has no side effects, can be called by GET", async () => {
  const query = new URLSearchParams({ connect: "v1", encoding: "json", message: JSON.stringify(message) });
  const before = harness.wire.calls.length;
  const response = await fetch(`${harness.http}${SERVICE}/GetFaceParams?${query.toString()}`);
  expect(response.status).toBe(405);
  expect(harness.wire.calls.length).toBe(before);
});
