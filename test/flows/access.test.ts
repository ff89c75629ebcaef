import { createHmac, randomBytes } from "node:crypto";

import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { AUDIENCE, ISSUER, startProvider } from "../support/identity-provider.ts";

const { getFaceParams, getResult } = FaceVerificationService.method;
const person = { name: "张三", id_no: "11010519491231002X" };
const message = { name: person.name, idNo: person.id_no };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe("bearer tokens", () => {
  let harness: Harness;
  const tokens = { old: "o".repeat(20), new: "n".repeat(20) };
  beforeAll(async () => {
    harness = await startHarness({
      env: {
        GRPC_AUTH_TOKENS: `billing:${tokens.old},billing:${tokens.new}`,
        HTTP_AUTH_TOKENS: `shop:${tokens.new}`,
      },
    });
  });
  afterAll(() => harness.stop());

  test.each([
    ["no token", {}],
    ["a wrong token", bearer("x".repeat(20))],
    ["another scheme", { authorization: `Basic ${tokens.new}` }],
    ["an empty token", { authorization: "Bearer " }],
  ])("a call with %s is refused on every door, without a call to the vendor", async (_what, headers) => {
    const before = harness.wire.calls.length;
    const form = await harness.form("/get_face_params", person, headers);
    expect([form.status, form.body.reason]).toEqual([401, "UNAUTHENTICATED"]);
    expect(form.headers.get("www-authenticate")).toBe("Bearer");
    const json = await harness.json("GetFaceParams", message, headers);
    expect([json.status, json.body.code]).toEqual([401, "unauthenticated"]);
    const call = harness.grpcClient.unary(getFaceParams, message, { metadata: headers });
    await expect(call).rejects.toMatchObject({ code: grpc.status.UNAUTHENTICATED });
    expect(harness.wire.calls.length).toBe(before);
  });

  test("two tokens of one caller are valid at once, and the log names the caller", async () => {
    for (const token of [tokens.old, tokens.new]) {
      await harness.grpcClient.unary(getResult, { orderNo: "order1" }, { metadata: bearer(token) });
    }
    const lines = harness.logs.filter(({ event, door }) => event === "call_finished" && door === "grpc");
    expect(lines.slice(-2).map(({ caller }) => caller)).toEqual(["billing", "billing"]);
    expect(JSON.stringify(harness.logs)).not.toContain(tokens.old);
  });

  test("one listener's tokens are not valid on the other", async () => {
    const json = await harness.json("GetResult", { orderNo: "order1" }, bearer(tokens.old));
    expect(json.status).toBe(401);
  });
});

describe("end users", () => {
  let provider: Awaited<ReturnType<typeof startProvider>>;
  let harness: Harness;
  beforeAll(async () => {
    provider = await startProvider();
    harness = await startHarness({
      env: { JWT_JWKS_URL: provider.url, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE },
    });
  });
  afterAll(async () => {
    await harness.stop();
    await provider.stop();
  });

  const now = () => Math.floor(Date.now() / 1000);
  test.each<[string, () => Promise<string> | string]>([
    ["expired", () => provider.sign({ sub: "u1", exp: now() - 60 })],
    ["another issuer's", () => provider.sign({ sub: "u1", iss: "https://other.example" })],
    ["for another audience", () => provider.sign({ sub: "u1", aud: "shop" })],
    ["not valid yet", () => provider.sign({ sub: "u1", nbf: now() + 600 })],
    ["without a subject", () => provider.sign({})],
    ["with an empty subject", () => provider.sign({ sub: "" })],
    ["without an expiry", () => provider.sign({ sub: "u1", exp: undefined as unknown as number })],
    ["forged", () => provider.forged({ sub: "u1" })],
    ["signed with an unknown key", () => provider.sign({ sub: "u1" }, undefined, "k2")],
    ["unsigned, with alg none", () => provider.unsigned({ sub: "u1" })],
    ["signed with the public key as an HMAC secret", () => provider.confused({ sub: "u1" })],
    ["not a JWT", () => "a.b.c"],
  ])("an end user's token that is %s is refused, as a form and as JSON", async (_what, make) => {
    const headers = bearer(await make());
    const before = harness.wire.calls.length;
    const form = await harness.form("/get_result", { order_no: "x" }, headers);
    expect([form.status, form.body.reason]).toEqual([401, "UNAUTHENTICATED"]);
    expect((await harness.json("GetResult", { orderNo: "x" }, headers)).status).toBe(401);
    expect(harness.wire.calls.length).toBe(before);
  });

  test("end users may read only their own orders, through every public door", async () => {
    const [mine, other] = [
      bearer(await provider.sign({ sub: "user-1" })),
      bearer(await provider.sign({ sub: "user-2" })),
    ];
    const launch = await harness.form("/get_face_params", person, mine);
    const orderNo = launch.body.result.order_no;
    await harness.playSdk(launch.body.result, "passed");
    expect((await harness.form("/get_result", { order_no: orderNo }, mine)).body.code).toBe("0");
    expect((await harness.json("GetResult", { orderNo }, mine)).body.verdict).toBe("VERDICT_PASSED");
    const before = harness.wire.of("query").length;
    const stolen = await harness.form("/get_result", { order_no: orderNo }, other);
    expect([stolen.status, stolen.body.reason]).toEqual([404, "ORDER_NOT_FOUND"]);
    expect((await harness.json("GetResult", { orderNo }, other)).status).toBe(404);
    expect(harness.wire.of("query")).toHaveLength(before);
    // Internal callers read every order.
    expect((await harness.grpcClient.unary(getResult, { orderNo })).orderNo).toBe(orderNo);
  });

  test("end users are not admitted without a token, and may not supply an order number", async () => {
    expect((await harness.form("/get_face_params", person)).status).toBe(401);
    const mine = bearer(await provider.sign({ sub: "user-3" }));
    const own = await harness.json("GetFaceParams", { ...message, orderNo: "mine1" }, mine);
    expect([own.status, own.body.code]).toEqual([400, "invalid_argument"]);
  });

  test("end users' tokens cause few fetches of the keys, and their subjects are not logged", async () => {
    expect(provider.fetches()).toBeLessThanOrEqual(3);
    expect(JSON.stringify(harness.logs)).not.toMatch(/user-\d/);
  });

  test("an unreachable JWKS answers AUTHENTICATION_UNAVAILABLE, not UNAUTHENTICATED", async () => {
    const away = await startProvider();
    away.fail();
    await using other = await startHarness({
      env: { JWT_JWKS_URL: away.url, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE },
    });
    const headers = bearer(await away.sign({ sub: "user-1" }));
    const form = await other.form("/get_face_params", person, headers);
    expect([form.status, form.body.reason]).toEqual([503, "AUTHENTICATION_UNAVAILABLE"]);
    expect(form.headers.get("retry-after")).toBe("2");
    await away.stop();
  });
});

describe("signed forms", () => {
  const key = "k".repeat(32);
  const body = new URLSearchParams(person).toString();
  const signature = (
    over = body,
    { path = "/get_face_params", at = Date.now(), with: secret = key } = {},
  ) => {
    const t = Math.floor(at / 1000);
    const hex = createHmac("sha256", secret).update(`${t}.${path}.${over}`).digest("hex");
    return { "x-signature": `t=${t},v1=${hex}` };
  };
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness({ env: { FORM_HMAC_KEYS: `android:${key}` } });
  });
  afterAll(() => harness.stop());

  test("a signed form is admitted under the app's name", async () => {
    const answer = await harness.form("/get_face_params", body, signature());
    expect([answer.status, answer.body.code]).toEqual([200, "0"]);
    expect(harness.logs.findLast(({ event }) => event === "call_finished")).toMatchObject({
      caller: "android",
    });
  });

  test.each([
    ["no signature", {}],
    ["a signature over another body", signature(`${body}&user_id=x`)],
    ["a signature for the other route", signature(body, { path: "/get_result" })],
    ["an expired signature", signature(body, { at: Date.now() - 301_000 })],
    ["a signature by another key", signature(body, { with: randomBytes(16).toString("hex") })],
    ["a signature of another shape", { "x-signature": "v1=00" }],
  ])("a form with %s is refused", async (_what, headers) => {
    const answer = await harness.form("/get_face_params", body, headers);
    expect([answer.status, answer.body.reason]).toEqual([401, "UNAUTHENTICATED"]);
  });

  test("the listener's other doors do not bypass the signature", async () => {
    expect((await harness.json("GetFaceParams", message)).status).toBe(401);
  });
});

test("HTTP_AUTH=observe admits every caller and logs those that would be refused", async () => {
  await using harness = await startHarness({
    env: { HTTP_AUTH_TOKENS: `shop:${"s".repeat(20)}`, HTTP_AUTH: "observe" },
  });
  expect((await harness.form("/get_face_params", person)).body.code).toBe("0");
  expect((await harness.form("/get_face_params", person, bearer("s".repeat(20)))).body.code).toBe("0");
  const would = harness.logs.filter(({ event }) => event === "would_be_refused");
  expect(would).toMatchObject([{ door: "form", rule: "authentication" }]);
});

describe("strictness of the form door", () => {
  test.each([
    ["an unknown field", "/get_result", { order_no: "x", extra: "1" }, "form.unknown"],
    ["a field in the URL", "/get_result?order_no=x", { order_no: "x" }, "form.query"],
  ])(
    "a form with %s is only reported by default, and refused by FORM_STRICT=enforce",
    async (_what, path, fields, rule) => {
      await using observing = await startHarness();
      expect((await observing.form(path, fields)).status).toBe(404);
      expect(observing.logs.filter(({ event }) => event === "would_be_refused")).toMatchObject([{ rule }]);
      await using strict = await startHarness({ env: { FORM_STRICT: "enforce" } });
      const answer = await strict.form(path, fields);
      expect([answer.status, answer.body.reason, answer.body.fields[0].rule]).toEqual([
        400,
        "INVALID_REQUEST",
        rule,
      ]);
    },
  );
});
