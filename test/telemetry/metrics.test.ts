import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { openTelemetry } from "../../src/service.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { missingPromtool, promtoolFindings } from "../support/promtool.ts";

const person = { name: "张三", id_no: "11010519491231002X" };
let harness: Harness;
let orderNo: string;

/** The samples of an exposition: name with labels, without `app`, to value. */
async function scrape(
  accept?: string,
): Promise<{ type: string; text: string; samples: Map<string, number> }> {
  const response = await fetch(`${harness.admin}/metrics`, { headers: accept ? { accept } : {} });
  const text = await response.text();
  const samples = new Map<string, number>();
  for (const [, name = "", labels = "", value] of text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm)) {
    const kept = labels.split(",").filter((label) => label !== "" && !label.startsWith("app="));
    samples.set(kept.length === 0 ? name : `${name}{${kept.join(",")}}`, Number(value));
  }
  return { type: response.headers.get("content-type") ?? "", text, samples };
}

beforeAll(async () => {
  harness = await startHarness();
  const { body } = await harness.form("/get_face_params", person);
  await harness.playSdk(body, "not_same_person");
  orderNo = body.result.order_no;
  await harness.form("/get_result", { order_no: orderNo });
  await harness.grpcClient.unary(FaceVerificationService.method.getResult, { orderNo });
  await harness.grpcClient
    .unary(FaceVerificationService.method.getFaceParams, { name: "张三", idNo: "1" })
    .catch(() => undefined);
  await harness.form("/get_result", "order_no=%zz");
});
afterAll(() => harness?.stop());

describe("after a few calls", () => {
  test.each([
    ['faceid_calls_total{method="GetFaceParams",door="form",outcome="OK"}', 1],
    ['faceid_calls_total{method="GetResult",door="grpc",outcome="OK"}', 1],
    ['faceid_calls_total{method="GetFaceParams",door="grpc",outcome="INVALID_REQUEST"}', 1],
    ['faceid_call_seconds_count{method="GetResult",door="form"}', 1],
    ['faceid_requests_refused_total{door="form",outcome="MALFORMED_REQUEST"}', 1],
    ['faceid_verdicts_total{verdict="FAILED",reason="NOT_SAME_PERSON"}', 2],
    ['faceid_billed_outcomes_total{method="GetResult"}', 2],
    ['faceid_upstream_calls_total{endpoint="upload",outcome="ok"}', 1],
    ['faceid_upstream_calls_total{endpoint="query",outcome="notSamePerson"}', 2],
    ['faceid_upstream_call_seconds_count{endpoint="query"}', 2],
    ['faceid_ticket_nonce_total{outcome="ok"}', 1],
    ['faceid_ticket_refresh_total{reason="cold",outcome="ok"}', 1],
    ["faceid_ticket_refresh_seconds_count", 1],
    ["faceid_ticket_adopt_lag_seconds_count", 1],
    ["faceid_ticket_upstream_token_calls_total", 1],
    ["faceid_ticket_pair_usable", 1],
    ["faceid_ticket_waiters", 0],
    ["faceid_ticket_store_up", 1],
    ["faceid_ticket_dirty_seconds", 0],
    ["faceid_ticket_foreign_rotation_total", 0],
  ])("the sample %s has its value after a few calls", async (sample, value) => {
    expect((await scrape()).samples.get(sample)).toBe(value);
  });

  test("the ticket pair's gauges have values", async () => {
    const { samples } = await scrape();
    expect(samples.get("faceid_ticket_generation")).toBeGreaterThan(0);
    expect(samples.get("faceid_ticket_sign_age_seconds")).toBeGreaterThan(0);
    expect(samples.get("faceid_ticket_token_age_seconds")).toBeGreaterThan(0);
    expect(samples.get("faceid_ticket_seconds_to_hard_limit")).toBeGreaterThan(0);
    expect(samples.get("faceid_ticket_nonce_guaranteed_seconds")).toBeGreaterThan(0);
    expect(samples.get('faceid_ticket_store_op_seconds_count{op="read",outcome="ok"}')).toBeGreaterThan(0);
  });
});

test("an unknown code is counted, and appears only in the log", async () => {
  harness.sandbox.faults.add({ endpoint: "query", kind: "code", code: "123456" });
  const { body } = await harness.form("/get_result", { order_no: orderNo });
  expect(body.code).toBe("123456");
  const { text, samples } = await scrape();
  expect(samples.get('faceid_upstream_unknown_codes_total{endpoint="query"}')).toBe(1);
  expect(text).not.toContain("123456");
  expect(harness.logs).toContainEqual(
    expect.objectContaining({ event: "unknown_code", endpoint: "query", upstream_code: "123456" }),
  );
});

describe("formats", () => {
  test("metrics are in Prometheus text format by default", async () => {
    const { type, text } = await scrape();
    expect(type).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(text).toContain("# TYPE faceid_calls_total counter");
  });

  test("metrics are in OpenMetrics format for scrapers that accept it, without affecting later Prometheus text", async () => {
    const before = (await scrape()).text.match(/^# .*/gm);
    const { type, text } = await scrape(
      "application/openmetrics-text; version=1.0.0; charset=utf-8,text/plain;version=0.0.4;q=0.5",
    );
    expect(type).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
    expect(text).toContain("# TYPE faceid_calls counter\nfaceid_calls_total{");
    expect(text).not.toMatch(/\n\n/);
    expect(text.endsWith("\n# EOF\n")).toBe(true);
    expect((await scrape()).text.match(/^# .*/gm)).toEqual(before);
  });

  const missing = missingPromtool();
  test.skipIf(missing)("promtool has no findings, including on the process's own metrics", async () => {
    expect(promtoolFindings((await scrape()).text)).toBe("");
    const { metrics } = openTelemetry(harness.config, { process: true });
    expect(promtoolFindings((await metrics.render(undefined)).text)).toBe("");
  });

  test.skipIf(missing)("promtool reports a planted fault", () => {
    expect(promtoolFindings("# TYPE bad_total gauge\nbad_total 1\n")).not.toBe("");
  });
});

test("no label contains a request's values", async () => {
  const before = (await scrape()).samples.size;
  for (let i = 0; i < 20; i++) {
    await harness.form(`/nowhere/${i}`, { a: String(i) });
    await harness.form("/get_result", { order_no: `order${i}` }, { authorization: `Bearer ${i}` });
  }
  // A few series appear with the first call of their kind, and none with a value in it.
  const { samples, text } = await scrape();
  expect(samples.size).toBeLessThan(before + 40);
  expect(text).not.toMatch(/order1\d|nowhere/);
});
