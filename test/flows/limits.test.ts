import * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { startHarness } from "../support/harness.ts";

const { getFaceParams, getResult } = FaceVerificationService.method;
const person = { name: "张三", id_no: "11010519491231002X" };

describe.concurrent("limits", () => {
  test("launches of one person are limited across user ids, not counting repeats", async () => {
    await using harness = await startHarness({ env: { LIMIT_PER_PERSON: "2/m,9/d" } });
    const launch = (user_id: string, id_no = person.id_no) =>
      harness.form("/get_face_params", { ...person, id_no, user_id, request_id: user_id });
    expect((await launch("a")).status).toBe(200);
    expect((await launch("a")).status).toBe(200);
    expect((await launch("b")).status).toBe(200);
    const refused = await launch("c");
    expect([refused.status, refused.body.reason]).toEqual([429, "RATE_LIMITED"]);
    const seconds = Number(refused.headers.get("retry-after"));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect((await launch("d", "119999199001010012")).status).toBe(200);
    expect(harness.wire.of("upload")).toHaveLength(3);
    const call = harness.grpcClient.unary(getFaceParams, { name: person.name, idNo: person.id_no });
    await expect(call).rejects.toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
  });

  test("calls of one caller are limited", async () => {
    await using harness = await startHarness({
      env: {
        LIMIT_PER_CALLER: "2/m",
        GRPC_AUTH_TOKENS: `one:${"1".repeat(16)},two:${"2".repeat(16)}`,
      },
    });
    const as = (digit: string) =>
      harness.grpcClient.unary(
        getResult,
        { orderNo: "order1" },
        { metadata: { authorization: `Bearer ${digit.repeat(16)}` } },
      );
    await as("1");
    await as("1");
    await expect(as("1")).rejects.toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
    await as("2");
  });

  test("calls of one address are limited as reported by trusted proxies, and by no others", async () => {
    const env = { LIMIT_PER_IP: "2/m" };
    await using behind = await startHarness({ env: { ...env, TRUSTED_PROXIES: "127.0.0.0/8" } });
    const from = (address: string) =>
      behind.form("/get_result", { order_no: "x" }, { "x-forwarded-for": address });
    const statuses = [];
    for (const address of ["203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.8"]) {
      statuses.push((await from(address)).status);
    }
    expect(statuses).toEqual([404, 404, 429, 404]);
    // Peers on this machine are not counted, and what they claim is not believed.
    await using open = await startHarness({ env });
    for (let i = 0; i < 4; i++) {
      const answer = await open.form("/get_result", { order_no: "x" }, { "x-forwarded-for": "203.0.113.7" });
      expect(answer.status).toBe(404);
    }
    expect(JSON.stringify(open.logs)).not.toContain("203.0.113.7");
  });
});

test("calls beyond the concurrency limit are rejected at once without disturbing those in flight", async () => {
  await using harness = await startHarness({ env: { LIMIT_IN_FLIGHT: "2" } });
  harness.sandbox.faults.add({ endpoint: "query", kind: "delay", delayMs: 60_000, times: 2 });
  const inside = [1, 2].map(() => harness.grpcClient.unary(getResult, { orderNo: "order1" }));
  await expect.poll(() => harness.wire.of("query").length, { timeout: 10_000 }).toBe(2);
  const form = await harness.form("/get_result", { order_no: "x" });
  expect([form.status, form.body.reason, form.headers.get("retry-after")]).toEqual([503, "OVERLOADED", "1"]);
  const outside = harness.grpcClient.unary(getResult, { orderNo: "order1" });
  await expect(outside).rejects.toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
  harness.sandbox.advance(61_000);
  expect((await Promise.all(inside)).map(({ code }) => code)).toEqual(["66660011", "66660011"]);
  expect((await harness.form("/get_result", { order_no: "x" })).status).toBe(404);
});
