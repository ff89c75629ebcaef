import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { startHarness } from "../support/harness.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../support/otlp-receiver.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER_SPAN = "00f067aa0ba902b7";
const person = { name: "张三", id_no: "11010519491231002X" };
const KIND = { internal: 1, server: 2, client: 3 };

let receiver: OtlpReceiver | undefined;
afterEach(async () => {
  await receiver?.stop();
  vi.unstubAllEnvs();
});

/** A service that sends its spans to a receiver; stopping it delivers them. */
async function startTraced(env: Record<string, string> = {}) {
  receiver = await startOtlpReceiver();
  const all = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: "ours", ...env };
  // The SDK reads them by itself.
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value);
  return { receiver, harness: await startHarness({ env: all }) };
}

const attributes = (span: ReceivedSpan | undefined) =>
  Object.fromEntries((span?.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]));

test("a call is one trace of the caller's span, the door, the handler and the vendor", async () => {
  const { harness, receiver } = await startTraced();
  const headers = { traceparent: `00-${TRACE_ID}-${CALLER_SPAN}-01`, "x-request-id": "traced-1" };
  const answer = await harness.form("/get_face_params", person, headers);
  await harness.stop();
  const spans = receiver.spans.filter(({ traceId }) => traceId === TRACE_ID);
  const named = (name: string) => spans.find((span) => span.name === name);
  const door = named("form GetFaceParams");
  const handler = named("handler GetFaceParams");

  expect(spans.map(({ name }) => name).sort()).toEqual([
    "form GetFaceParams",
    "handler GetFaceParams",
    "upstream nonce_ticket",
    "upstream upload",
  ]);
  expect(door).toMatchObject({ parentSpanId: CALLER_SPAN, kind: KIND.server });
  expect(answer.headers.get("traceparent")).toBe(`00-${TRACE_ID}-${door?.spanId}-01`);
  expect(handler).toMatchObject({ parentSpanId: door?.spanId, kind: KIND.internal });
  for (const name of ["upstream nonce_ticket", "upstream upload"]) {
    expect(named(name)).toMatchObject({ parentSpanId: handler?.spanId, kind: KIND.client });
  }
  expect(attributes(door)).toEqual({
    door: "form",
    method: "GetFaceParams",
    request_id: "traced-1",
    outcome: "OK",
  });
  expect(attributes(named("upstream upload"))).toEqual({
    endpoint: "upload",
    outcome: "ok",
    upstream_code: "0",
    biz_seq_no: expect.any(String),
  });
  expect(receiver.bodies.join()).toContain('"ours"');
  expect(receiver.bodies.join()).not.toMatch(/张三|11010519491231002X/);
});

test("a refresh is a separate trace, and a failed vendor call is marked in it", async () => {
  const { harness, receiver } = await startTraced();
  harness.sandbox.faults.add({ endpoint: "query", kind: "reset", times: 2 });
  const launch = await harness.form("/get_face_params", person);
  await harness.form("/get_result", { order_no: launch.body.result.order_no });
  await harness.stop();
  const failed = receiver.spans.find(({ name }) => name === "upstream query");
  expect(failed?.status).toEqual({ code: 2, message: "broken" });
  expect(receiver.spans.find(({ name }) => name === "form GetResult")?.status).toEqual({
    code: 2,
    message: "UPSTREAM_UNAVAILABLE",
  });
  const token = receiver.spans.find(({ name }) => name === "upstream access_token");
  expect(token?.parentSpanId ?? "").toBe("");
});

test("a call that its caller does not sample is not exported, and the log still names its trace", async () => {
  const { harness, receiver } = await startTraced();
  await harness.form("/get_face_params", person, { traceparent: `00-${TRACE_ID}-${CALLER_SPAN}-00` });
  await harness.stop();
  expect(receiver.spans.filter(({ traceId }) => traceId === TRACE_ID)).toEqual([]);
  expect(harness.logs).toContainEqual(
    expect.objectContaining({ event: "call_finished", trace_id: TRACE_ID }),
  );
});

test("an unreachable trace receiver does not affect the caller", async () => {
  const { harness, receiver: gone } = await startTraced();
  await gone.stop();
  const { status } = await harness.form("/get_face_params", person);
  await harness.stop();
  expect(status).toBe(200);
});

describe("asked for by the standard variables", () => {
  const configured = (env: Record<string, string>) =>
    readConfig({ FACEID_APP_ID: "TIDA0001", FACEID_SECRET: "s", ...env }, () => "");
  const always = { sampler: "parentbased_always_on", samplerRatio: 1 };

  test.each([
    [{}, undefined],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" }, always],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://127.0.0.1:4318/v1/traces" }, always],
    [{ OTEL_TRACES_EXPORTER: "otlp" }, always],
    [{ OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" }, undefined],
    [{ OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" }, undefined],
    [
      { OTEL_TRACES_EXPORTER: "otlp", OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" },
      { sampler: "traceidratio", samplerRatio: 0.25 },
    ],
  ])("the environment %j configures tracing", (env, expected) => {
    expect(configured(env)).toMatchObject({ traces: expected, warnings: [] });
  });

  const ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT";
  const collector = { [ENDPOINT]: "http://127.0.0.1:4318" };
  const ratio = { sampler: "traceidratio", samplerRatio: 1 };
  // Set for a whole cluster, none of these is a reason not to start.
  test.each<[Record<string, string>, unknown, string]>([
    [{ OTEL_TRACES_EXPORTER: "zipkin" }, undefined, "OTEL_TRACES_EXPORTER"],
    [{ OTEL_TRACES_EXPORTER: "console" }, undefined, "OTEL_TRACES_EXPORTER"],
    [{ OTEL_TRACES_EXPORTER: "otlp, console" }, always, "OTEL_TRACES_EXPORTER"],
    [{ ...collector, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, undefined, "OTEL_EXPORTER_OTLP_PROTOCOL"],
    [
      {
        ...collector,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "grpc",
      },
      undefined,
      "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    ],
    [{ [ENDPOINT]: "collector:4317" }, undefined, ENDPOINT],
    [{ ...collector, OTEL_TRACES_SAMPLER: "jaeger_remote" }, always, "OTEL_TRACES_SAMPLER"],
    [
      { ...collector, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" },
      ratio,
      "OTEL_TRACES_SAMPLER_ARG",
    ],
  ])("the environment %j causes a warning and no failure", (env, expected, name) => {
    const { traces, warnings } = configured(env);
    expect(traces).toEqual(expected);
    expect(warnings.map((warning) => warning.split(":")[0])).toEqual([name]);
  });

  test("the protocol for traces overrides the general one, and values are case-insensitive", () => {
    const env = {
      ...collector,
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/protobuf",
      OTEL_TRACES_EXPORTER: "OTLP",
    };
    expect(configured(env)).toMatchObject({ traces: always, warnings: [] });
  });
});

test("the tracing SDK is loaded by one file, and only if traces are configured", () => {
  const root = join(import.meta.dirname, "../../src");
  const sources = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
  const naming = (pattern: RegExp) =>
    sources.filter(({ text }) => pattern.test(text)).map(({ path }) => path);
  expect(naming(/from "@opentelemetry\//)).toEqual([join("telemetry", "otlp-spans.ts")]);
  expect(naming(/from ".*otlp-spans\.ts"/)).toEqual([]);
  expect(naming(/await import\(".\/otlp-spans\.ts"\)/)).toEqual([join("telemetry", "telemetry.ts")]);
});
