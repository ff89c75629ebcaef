import * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type Harness, startHarness } from "../support/harness.ts";

const { getFaceParams, getResult } = FaceVerificationService.method;
const person = { name: "张三", id_no: "11010519491231002X", user_id: "refused1" };
const message = { name: person.name, idNo: person.id_no, userId: person.user_id };
/** A third of the vendor's minute: short waits, and time enough for a call on a busy machine. */
const env = { TOKEN_OVERLAP: "20s" };
const REFUSALS = ["15", "400101", "400103", "400104"];

const distinct = (values: readonly unknown[]) => new Set(values).size;
const refuse = (harness: Harness, endpoint: "upload" | "nonce_ticket" | "query", code: string, times = 1) =>
  harness.sandbox.faults.add({ endpoint, kind: "code", code, times });

/** A launch whose person has passed. */
async function passedOrder(harness: Harness): Promise<string> {
  const { body } = await harness.form("/get_face_params", person);
  expect((await harness.playSdk(body.result)).status).toBe(200);
  return body.result.order_no;
}

describe.concurrent("a call is retried once with a renewed pair when the vendor refuses its pair", () => {
  test.each(REFUSALS)("an upload refused with %s is retried with a renewed pair", async (code) => {
    await using harness = await startHarness({ env });
    refuse(harness, "upload", code);
    const { status, body } = await harness.form("/get_face_params", person);
    expect([status, body.code]).toEqual([200, "0"]);
    const uploads = harness.wire.of("upload");
    expect(uploads).toHaveLength(2);
    for (const field of ["orderNo", "nonce", "sign"]) {
      expect(distinct(uploads.map((upload) => upload.body[field]))).toBe(2);
    }
    expect(body.result.order_no).toBe(uploads[1]?.body["orderNo"]);
    // The other half was fine, and is not paid for twice.
    expect(harness.wire.of("nonce_ticket")).toHaveLength(1);
    expect(harness.wire.of("access_token")).toHaveLength(2);
    expect((await harness.playSdk(body.result)).status).toBe(200);
    expect(harness.sandbox.breaches).toEqual([]);
  });

  test.each(["15", "400101", "400103"])(
    "a launch succeeds although the vendor refuses every dead token with %s",
    async (code) => {
      await using harness = await startHarness({ env });
      harness.sandbox.revoke(code);
      for (let i = 0; i < 6; i++) {
        const { status, body } = await harness.form("/get_face_params", { ...person, user_id: `died${i}` });
        expect([status, body.code]).toEqual([200, "0"]);
      }
      expect(harness.wire.of("access_token")).toHaveLength(2);
    },
  );

  test.each(REFUSALS)("a NONCE ticket call refused with %s is retried with a renewed pair", async (code) => {
    await using harness = await startHarness({ env });
    refuse(harness, "nonce_ticket", code);
    const launch = await harness.grpcClient.unary(getFaceParams, message);
    const asked = harness.wire.of("nonce_ticket");
    expect(asked).toHaveLength(2);
    expect(distinct(asked.map(({ query }) => query["access_token"]))).toBe(2);
    expect(harness.wire.of("upload")).toHaveLength(1);
    expect(harness.wire.of("access_token")).toHaveLength(2);
    const { orderNo, faceId, appId, version, nonce, userId, sign } = launch;
    const params = {
      order_no: orderNo,
      face_id: faceId,
      app_id: appId,
      version,
      nonce,
      user_id: userId,
      sign,
    };
    expect((await harness.playSdk(params)).status).toBe(200);
    expect(harness.sandbox.breaches).toEqual([]);
  });

  test.each(REFUSALS)("a query refused with %s is retried with a renewed pair", async (code) => {
    await using harness = await startHarness({ env });
    const orderNo = await passedOrder(harness);
    refuse(harness, "query", code);
    const { status, body } = await harness.form("/get_result", { order_no: orderNo });
    expect([status, body.code, body.result.verdict]).toEqual([200, "0", "PASSED"]);
    const queries = harness.wire.of("query");
    expect(queries.map((query) => query.body["orderNo"])).toEqual([orderNo, orderNo]);
    expect(distinct(queries.map((query) => query.body["sign"]))).toBe(2);
    expect(distinct(queries.map((query) => query.body["nonce"]))).toBe(2);
    expect(harness.wire.of("access_token")).toHaveLength(2);
    expect(harness.sandbox.breaches).toEqual([]);
  });
});

describe.concurrent("with tokens that are really dead", () => {
  test("both halves of a launch recover by one renewal after all tokens were revoked", async () => {
    await using harness = await startHarness({ env });
    harness.sandbox.revoke();
    const { status, body } = await harness.form("/get_face_params", person);
    expect([status, body.code]).toEqual([200, "0"]);
    expect(harness.wire.of("upload")).toHaveLength(2);
    expect(harness.wire.of("nonce_ticket")).toHaveLength(2);
    expect(harness.wire.of("access_token")).toHaveLength(2);
    expect((await harness.playSdk(body.result)).status).toBe(200);
    const rules = new Set(harness.sandbox.breaches.map(({ rule }) => rule));
    expect(rules).toEqual(new Set(["token_dead", "sign_ticket_dead"]));
  });

  test("a crowd of queries recovers by one renewal after another installation rotated and the overlap ended", async () => {
    await using harness = await startHarness({ env });
    const orderNo = await passedOrder(harness);
    harness.sandbox.rotate();
    harness.sandbox.advance(61_000);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => harness.json("GetResult", { orderNo })),
    );
    expect(answers.map(({ body }) => body.verdict)).toEqual(Array(20).fill("VERDICT_PASSED"));
    expect(harness.wire.of("access_token")).toHaveLength(2);
    expect(harness.sandbox.stats.overlappingRefreshes).toBe(0);
  });
});

describe.concurrent("refused twice is an error with exactly two calls, and never a verdict", () => {
  test.each(["upload", "nonce_ticket"] as const)(
    "a call to %s that is refused twice is an error after exactly two calls",
    async (endpoint) => {
      await using harness = await startHarness({ env });
      refuse(harness, endpoint, "400103", 2);
      const { status, body } = await harness.form("/get_face_params", person);
      expect([status, body.code, body.reason]).toEqual([502, "400103", "UPSTREAM_REFUSED"]);
      expect(body).not.toHaveProperty("result");
      expect(harness.wire.of(endpoint)).toHaveLength(2);
    },
  );

  test("a query that is refused twice is an error and no verdict on every door", async () => {
    await using harness = await startHarness({ env });
    const orderNo = await passedOrder(harness);
    refuse(harness, "query", "400101", 2);
    const form = await harness.form("/get_result", { order_no: orderNo });
    expect([form.status, form.body.code, form.body.reason]).toEqual([502, "400101", "UPSTREAM_REFUSED"]);
    expect(form.body).not.toHaveProperty("result");
    expect(harness.wire.of("query")).toHaveLength(2);

    refuse(harness, "query", "400104", 2);
    await expect(harness.grpcClient.unary(getResult, { orderNo })).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
    });
    expect(harness.wire.of("query")).toHaveLength(4);

    refuse(harness, "query", "400103", 2);
    const json = await harness.json("GetResult", { orderNo });
    expect([json.status, json.body.code]).toEqual([503, "unavailable"]);
    const [info] = json.body.details;
    expect(info.debug).toMatchObject({ reason: "UPSTREAM_REFUSED", metadata: { upstream_code: "400103" } });
    expect(JSON.stringify(json.body)).not.toContain("VERDICT");
    expect(harness.wire.of("query")).toHaveLength(6);
  });

  test("a refused query is an error after one call if no new pair is available", async () => {
    await using harness = await startHarness({ env });
    const orderNo = await passedOrder(harness);
    harness.sandbox.faults.add({ endpoint: "access_token", kind: "status", times: null });
    refuse(harness, "query", "400103");
    const json = await harness.json("GetResult", { orderNo }, { "connect-timeout-ms": "3000" });
    expect(["unavailable", "deadline_exceeded"]).toContain(json.body.code);
    expect(harness.wire.of("query")).toHaveLength(1);
    harness.sandbox.faults.clear();
  });
});

describe("a double tap (400504)", () => {
  /** A service that sleeps two seconds by turning the sandbox's clock, and counts how often it did. */
  async function impatient() {
    const waits: number[] = [];
    const clock = {
      ...systemClock,
      async sleep(ms: number, signal?: AbortSignal) {
        if (ms < 2_000 || ms > 2_100) return systemClock.sleep(ms, signal);
        waits.push(ms);
        return started.sandbox.advance(ms);
      },
    };
    const started = await startHarness({ overrides: { clock } });
    return { started, waits };
  }

  test("a launch refused as too frequent because of another process waits once and succeeds", async () => {
    const { started, waits } = await impatient();
    await using harness = started;
    refuse(harness, "nonce_ticket", "400504");
    const { status, body } = await harness.form("/get_face_params", person);
    expect([status, body.code]).toEqual([200, "0"]);
    expect(waits).toHaveLength(1);
    expect(harness.wire.of("nonce_ticket")).toHaveLength(2);
    expect(harness.wire.of("upload")).toHaveLength(1);
    expect(harness.wire.of("access_token")).toHaveLength(1);
    expect((await harness.playSdk(body.result)).status).toBe(200);
    expect(harness.sandbox.breaches).toEqual([]);
  });

  test("a launch refused as too frequent twice is rejected with a retry delay", async () => {
    const { started, waits } = await impatient();
    await using harness = started;
    refuse(harness, "nonce_ticket", "400504", 2);
    const { status, body, headers } = await harness.form("/get_face_params", person);
    expect([status, body.code, body.reason]).toEqual([429, "400504", "RATE_LIMITED"]);
    expect(Number(headers.get("retry-after"))).toBeGreaterThanOrEqual(2);
    expect(waits).toHaveLength(1);
    expect(harness.wire.of("nonce_ticket")).toHaveLength(2);
  });
});
