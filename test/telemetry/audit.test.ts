import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { openTelemetry } from "../../src/service.ts";
import { createAudit } from "../../src/telemetry/audit.ts";
import { type Harness, startHarness } from "../support/harness.ts";

const person = { name: "张三", id_no: "11010519491231002X" };

let directory: string;
let harness: Harness | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "audit-"));
});
afterEach(async () => {
  await harness?.stop();
  harness = undefined;
  rmSync(directory, { recursive: true, force: true });
});

const path = () => join(directory, "audit.jsonl");
const linesOf = (file: string) =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("each attempt and each result has one audit line", async () => {
  harness = await startHarness({ env: { AUDIT_LOG: path() } });
  const { body } = await harness.form("/get_face_params", person, { "x-request-id": "a1" });
  await harness.playSdk(body, "not_same_person");
  await harness.form("/get_result", { order_no: body.result.order_no }, { "x-request-id": "a2" });
  const common = {
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    caller: "app",
    peer: "127.0.0.1",
    door: "form",
    order_no: body.result.order_no,
    outcome: "OK",
    livemode: false,
  };
  expect(linesOf(path())).toEqual([
    // Without a user id of the caller's, ours is the same hash.
    { ...common, event: "attempt", request_id: "a1", person: body.result.user_id, billed: false },
    {
      ...common,
      event: "result",
      request_id: "a2",
      verdict: "FAILED",
      code: "66660004",
      biz_seq_no: expect.any(String),
      billed: true,
    },
  ]);
});

test("the person in an audit line is our keyed hash, whatever the caller's user id", async () => {
  harness = await startHarness({ env: { AUDIT_LOG: path() } });
  await harness.form("/get_face_params", { ...person, user_id: "zhangsan1949" });
  await harness.form("/get_face_params", { ...person, user_id: "zs" });
  const [first, second] = linesOf(path());
  expect(first?.["person"]).toMatch(/^[0-9A-Za-z]{30}$/);
  expect(second?.["person"]).toBe(first?.["person"]);
  expect(readFileSync(path(), "utf8")).not.toMatch(/zhangsan1949|张三|11010519491231002X/);
});

test("failed calls have audit lines with their reason", async () => {
  harness = await startHarness({ env: { AUDIT_LOG: path(), GRPC_AUTH_TOKENS: "billing:0123456789abcdef" } });
  const { getFaceParams, getResult } = FaceVerificationService.method;
  const failed = (work: Promise<unknown>) => expect(work).rejects.toBeDefined();
  await failed(harness.grpcClient.unary(getResult, { orderNo: "x" }));
  const metadata = { authorization: "Bearer 0123456789abcdef" };
  await failed(harness.grpcClient.unary(getFaceParams, { name: "张三", idNo: "1" }, { metadata }));
  harness.sandbox.faults.add({ endpoint: "upload", kind: "code", code: "66660010" });
  await failed(
    harness.grpcClient.unary(getFaceParams, { name: person.name, idNo: person.id_no }, { metadata }),
  );
  expect(linesOf(path())).toMatchObject([
    { event: "result", caller: "", outcome: "UNAUTHENTICATED", billed: false },
    { event: "attempt", caller: "billing", outcome: "INVALID_REQUEST", billed: false },
    {
      event: "attempt",
      caller: "billing",
      outcome: "IDENTITY_REJECTED",
      code: "66660010",
      billed: true,
      order_no: expect.any(String),
    },
  ]);
});

test("an audit trail that cannot be written fails no call, and is reported", async () => {
  // A device that is always full.
  harness = await startHarness({ env: { AUDIT_LOG: "/dev/full" } });
  const { status } = await harness.form("/get_face_params", person, { "x-request-id": "full" });
  expect(status).toBe(200);
  expect(harness.logs).toContainEqual(
    expect.objectContaining({ event: "audit_failed", level: "error", request_id: "full", code: "ENOSPC" }),
  );
  const metrics = await (await fetch(`${harness.admin}/metrics`)).text();
  expect(metrics).toMatch(/^faceid_audit_failures_total\{.*\} 1$/m);
});

test("an audit trail that cannot be opened stops the service from starting", async () => {
  await expect(startHarness({ env: { AUDIT_LOG: join(directory, "missing", "audit") } })).rejects.toThrow(
    "ENOENT",
  );
});

describe("the file", () => {
  const line = { event: "attempt", request_id: "1", caller: "", peer: "", door: "form" } as const;
  const full = { ...line, time: "", outcome: "OK", billed: false, livemode: false };

  test("the audit file is private to its owner and is appended to", async () => {
    for (let i = 0; i < 2; i++) {
      const audit = createAudit(path());
      await audit.start();
      audit.write(full);
      await audit.stop();
    }
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(linesOf(path())).toHaveLength(2);
  });

  test("an audit file that was rotated is reopened at its path", async () => {
    const audit = createAudit(path());
    await audit.start();
    audit.write(full);
    renameSync(path(), `${path()}.1`);
    audit.write({ ...full, request_id: "2" });
    audit.reopen();
    audit.write({ ...full, request_id: "3" });
    await audit.stop();
    expect(linesOf(`${path()}.1`).map(({ request_id: id }) => id)).toEqual(["1", "2"]);
    expect(linesOf(path()).map(({ request_id: id }) => id)).toEqual(["3"]);
  });

  test("an audit file that cannot be reopened stays in use, and the failure is reported", async () => {
    harness = await startHarness();
    const lines: string[] = [];
    const config = { ...harness.config, auditLog: path() };
    const telemetry = openTelemetry(config, { logSink: { write: (text: string) => void lines.push(text) } });
    await telemetry.start();
    rmSync(directory, { recursive: true });
    telemetry.reopen();
    await telemetry.stop();
    expect(lines.join()).toMatch(/"event":"audit_reopen_failed".*"code":"ENOENT"/);
  });
});
