import http from "node:http";
import http2 from "node:http2";
import * as grpc from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { eventually, type Harness, startHarness } from "../support/harness.ts";

const { getFaceParams, getResult } = FaceVerificationService.method;
const fields = { name: "张三", id_no: "11010519491231002X" };
const message = { name: fields.name, idNo: fields.id_no };
/** Longer than any test: a call that this holds up ends only because somebody hangs up. */
const FOREVER_MS = 3_600_000;
/** What `promptly` means: far below the service's own eight seconds for a call. */
const PROMPT_MS = 4_000;

let harness: Harness;
let users = 0;
afterEach(() => harness.stop());

async function start(...held: ("upload" | "nonce_ticket" | "query")[]): Promise<void> {
  harness = await startHarness();
  for (const endpoint of held) {
    harness.sandbox.faults.add({ endpoint, kind: "delay", delayMs: FOREVER_MS, times: null });
  }
}

const outcomes = (endpoint: "upload" | "nonce_ticket" | "query") =>
  harness.wire.of(endpoint).map(({ outcome }) => outcome);

/** Waits until the vendor has both halves of a launch. */
const bothArrived = () =>
  eventually(() => harness.wire.of("upload").length === 1 && harness.wire.of("nonce_ticket").length === 1);

/** Both halves were hung up on, promptly, and nothing was tried again. */
async function bothLeft(): Promise<void> {
  await eventually(
    () => outcomes("upload")[0] === "left" && outcomes("nonce_ticket")[0] === "left",
    PROMPT_MS,
  );
  expect([outcomes("upload"), outcomes("nonce_ticket")]).toEqual([["left"], ["left"]]);
}

/** How the access line says the one call ended. */
async function logged(): Promise<unknown> {
  const lines = () => harness.logs.filter(({ event }) => event === "call_finished");
  await eventually(() => lines().length === 1, PROMPT_MS);
  return lines()[0]?.["outcome"];
}

describe("a caller's deadline reaches the vendor's socket", () => {
  test("a grpc-js deadline reaches the vendor's socket", async () => {
    await start("upload", "nonce_ticket");
    const call = harness.grpcClient.unary(getFaceParams, message, { timeoutMs: 1_000 });
    await expect(call).rejects.toMatchObject({ code: grpc.status.DEADLINE_EXCEEDED });
    await bothLeft();
    // Deadline and reset of the stream arrive together; either ends the call.
    expect(["DEADLINE_EXCEEDED", "CANCELLED"]).toContain(await logged());
  });

  test.each(["http", "grpc"] as const)(
    "a connect-timeout-ms on the %s listener reaches the vendor's socket",
    async (listener) => {
      await start("query");
      const orderNo = await anOrder();
      const headers = { "connect-timeout-ms": "700" };
      const answer = await (listener === "http"
        ? harness.json("GetResult", { orderNo }, headers)
        : connectOverH2("GetResult", { orderNo }, headers));
      expect([answer.status, answer.body.code]).toEqual([504, "deadline_exceeded"]);
      await eventually(() => outcomes("query")[0] === "left", PROMPT_MS);
      expect(outcomes("query")).toEqual(["left"]);
    },
  );

  test("a deadline that has already passed causes no call to the vendor", async () => {
    await start();
    const answer = await harness.json("GetFaceParams", message, { "connect-timeout-ms": "0" });
    expect(answer.body.code).toBe("deadline_exceeded");
    expect(harness.wire.of("upload")).toEqual([]);
    expect(harness.wire.of("nonce_ticket")).toEqual([]);
  });
});

describe("a caller who goes away", () => {
  test("a grpc-js client that cancels aborts the call to the vendor", async () => {
    await start("upload", "nonce_ticket");
    const cancel = new AbortController();
    const call = harness.grpcClient.unary(getFaceParams, message, { signal: cancel.signal });
    await bothArrived();
    cancel.abort();
    await expect(call).rejects.toMatchObject({ code: grpc.status.CANCELLED });
    await bothLeft();
    expect(await logged()).toBe("CANCELLED");
  });

  test("a form client that disconnects aborts the call to the vendor", async () => {
    await start("upload", "nonce_ticket");
    const body = new URLSearchParams(fields).toString();
    const request = http.request(`${harness.http}/get_face_params`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", "content-length": body.length },
    });
    request.on("error", () => undefined);
    request.end(body);
    await bothArrived();
    request.destroy();
    await bothLeft();
    expect(await logged()).toBe("CANCELLED");
  });

  test("a Connect client that disconnects over HTTP/1.1 aborts the call to the vendor", async () => {
    await start("query");
    const orderNo = await anOrder();
    const gone = new AbortController();
    const call = fetch(`${harness.http}/${FaceVerificationService.typeName}/GetResult`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ orderNo }),
      signal: gone.signal,
    });
    await eventually(() => harness.wire.of("query").length === 1);
    gone.abort();
    await expect(call).rejects.toThrow();
    await eventually(() => outcomes("query")[0] === "left", PROMPT_MS);
  });

  test("a caller that disconnects also ends the wait for media", async () => {
    await start();
    const { body } = await harness.form("/get_face_params", fields);
    await harness.playSdk(body.result);
    harness.sandbox.faults.add({ endpoint: "query", kind: "delay", delayMs: FOREVER_MS, after: 1 });
    const cancel = new AbortController();
    const request = { orderNo: body.result.order_no, includeMedia: true };
    const call = harness.grpcClient.unary(getResult, request, { signal: cancel.signal });
    await eventually(() => harness.wire.of("query").length === 2);
    cancel.abort();
    await expect(call).rejects.toMatchObject({ code: grpc.status.CANCELLED });
    await eventually(() => outcomes("query")[1] === "left", PROMPT_MS);
    expect(outcomes("query")).toEqual(["answered", "left"]);
  });
});

describe("one half of a launch", () => {
  test.each([
    ["upload", "nonce_ticket"],
    ["nonce_ticket", "upload"],
  ] as const)("a failing call to %s cancels the one to %s", async (failing, other) => {
    await start(other);
    harness.sandbox.faults.add({ endpoint: failing, kind: "code", code: "66660021" });
    const { status, body } = await harness.form("/get_face_params", fields);
    expect([status, body.code, body.reason]).toEqual([503, "66660021", "UPSTREAM_UNAVAILABLE"]);
    // The other one may not even have been sent.
    await eventually(() => outcomes(other).every((outcome) => outcome === "left"), PROMPT_MS);
    expect(outcomes(failing)).toEqual(["answered"]);
  });
});

test("a vendor that never responds delays a caller without a deadline by eight seconds", async () => {
  await start("query");
  const orderNo = await anOrder();
  const began = performance.now();
  const { status, body } = await harness.form("/get_result", { order_no: orderNo });
  expect([status, body.code, body.reason]).toEqual([504, "504", "UPSTREAM_TIMEOUT"]);
  expect(performance.now() - began).toBeGreaterThan(7_900);
  await eventually(() => outcomes("query")[0] === "left", PROMPT_MS);
  expect(outcomes("query")).toEqual(["left"]);
});

test("callers that disconnect never stop the refresh they waited for", async () => {
  harness = await startHarness({ env: { TOKEN_OVERLAP: "9s" } });
  const orderNo = await anOrder();
  harness.sandbox.revoke();
  harness.sandbox.faults.add({ endpoint: "access_token", kind: "delay", delayMs: FOREVER_MS });
  const cancel = new AbortController();
  const calls = Array.from({ length: 5 }, () =>
    harness.grpcClient.unary(getResult, { orderNo }, { signal: cancel.signal }),
  );
  const settled = Promise.allSettled(calls);
  await eventually(() => harness.wire.of("access_token").length === 2);
  cancel.abort();
  for (const { status } of await settled) expect(status).toBe("rejected");
  await eventually(() => harness.logs.filter(({ outcome }) => outcome === "CANCELLED").length === 5);
  expect(harness.wire.of("access_token")[1]?.outcome).toBe("open");

  harness.sandbox.advance(FOREVER_MS);
  await eventually(() => harness.wire.of("sign_ticket").length === 2);
  expect(harness.wire.of("access_token").map(({ outcome }) => outcome)).toEqual(["answered", "answered"]);
  await eventually(async () => (await harness.json("GetResult", { orderNo })).status === 200);
  expect(harness.wire.of("access_token")).toHaveLength(2);
});

/** An order number of this service; nobody has tried it. */
async function anOrder(): Promise<string> {
  const { body } = await harness.form("/get_face_params", { ...fields, user_id: `deadline${users++}` });
  expect(body.code).toBe("0");
  return body.result.order_no;
}

async function connectOverH2(method: string, request: unknown, headers: Record<string, string>) {
  const session = http2.connect(harness.grpc);
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": `/${FaceVerificationService.typeName}/${method}`,
      "content-type": "application/json",
      ...headers,
    });
    const status = new Promise<number>((resolve) =>
      stream.once("response", (response) => resolve(Number(response[":status"]))),
    );
    stream.end(JSON.stringify(request));
    const text = (await stream.setEncoding("utf8").toArray()).join("");
    return { status: await status, body: JSON.parse(text) as { code?: string } };
  } finally {
    session.close();
  }
}

test("files that never arrive do not cost the verdict", async () => {
  await start();
  const { body } = await harness.form("/get_face_params", fields);
  await harness.playSdk(body.result);
  harness.sandbox.faults.add({
    endpoint: "query",
    kind: "delay",
    delayMs: FOREVER_MS,
    after: 1,
    times: null,
  });
  const answer = await harness.grpcClient.unary(getResult, {
    orderNo: body.result.order_no,
    includeMedia: true,
  });
  expect([answer.code, answer.media]).toEqual(["0", undefined]);
  const line = harness.logs.findLast(({ event }) => event === "call_finished");
  expect(line).toMatchObject({ media_error: "no files within 6500 ms" });
});
