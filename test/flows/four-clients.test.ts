import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import { type Harness, startHarness } from "../support/harness.ts";

const { getFaceParams, getResult } = FaceVerificationService.method;
const SERVICE = FaceVerificationService.typeName;
const person = { name: "张三", idNo: "11010519491231002X" };
const run = promisify(execFile);

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

/** Launch parameters and results by the names of the form route, whichever door they came through. */
interface Launch {
  [name: string]: unknown;
  order_no: string;
  start_before: string;
  server_time: string;
}

interface Door {
  launch(fields: { name: string; idNo: string; userId: string }): Promise<Launch>;
  result(orderNo: string): Promise<{ code: string; verdict: string; reason: string; similarity: unknown }>;
}

const snake = (message: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(message).map(([name, value]) => [
      name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
      value,
    ]),
  );
const bare = (name: string) => name.replace(/^VERDICT_(REASON_)?/, "");
const fromJson = (message: Record<string, unknown>) => ({
  code: String(message["code"]),
  verdict: bare(String(message["verdict"])),
  reason: bare(String(message["reason"])),
  similarity: message["similarity"],
});

async function curl(...args: string[]): Promise<Record<string, unknown>> {
  return JSON.parse((await run("curl", ["--silent", "--show-error", ...args])).stdout) as Record<
    string,
    unknown
  >;
}

async function bufCurl(method: string, message: unknown): Promise<Record<string, unknown>> {
  const url = `${harness.grpc}/${SERVICE}/${method}`;
  // No schema: buf asks the server by reflection.
  const args = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--emit-defaults"];
  return JSON.parse((await run("buf", [...args, "-d", JSON.stringify(message), url])).stdout) as Record<
    string,
    unknown
  >;
}

const nameOf = (names: Record<string, number>, value: number) =>
  Object.keys(names).find((n) => names[n] === value) ?? "";

const doors: Record<string, Door> = {
  "form POST with curl": {
    async launch({ name, idNo, userId }) {
      const fields = ["-d", `name=${name}`, "-d", `id_no=${idNo}`, "-d", `user_id=${userId}`];
      const answer = await curl(...fields, `${harness.http}/get_face_params`);
      expect(answer["code"]).toBe("0");
      return answer["result"] as Launch;
    },
    async result(orderNo) {
      const answer = await curl("-d", `order_no=${orderNo}`, `${harness.http}/get_result`);
      const { verdict, reason, similarity } = answer["result"] as Record<string, string>;
      return { code: String(answer["code"]), verdict: String(verdict), reason: String(reason), similarity };
    },
  },
  "JSON with curl": {
    async launch(fields) {
      const json = ["-H", "content-type: application/json", "-d", JSON.stringify(fields)];
      return snake(await curl(...json, `${harness.http}/${SERVICE}/GetFaceParams`)) as Launch;
    },
    async result(orderNo) {
      const json = ["-H", "content-type: application/json", "-d", JSON.stringify({ orderNo })];
      return fromJson(await curl(...json, `${harness.http}/${SERVICE}/GetResult`));
    },
  },
  "grpc-js with deadline and metadata": {
    async launch(fields) {
      const options = { timeoutMs: 10_000, metadata: { "x-request-id": "grpc-js-1" } };
      const {
        $typeName: _,
        startBefore,
        serverTime,
        ...rest
      } = await harness.grpcClient.unary(getFaceParams, fields, options);
      if (!startBefore || !serverTime) throw new Error("no times");
      const times = { startBefore: timestampDate(startBefore), serverTime: timestampDate(serverTime) };
      return snake({
        ...rest,
        startBefore: times.startBefore.toISOString(),
        serverTime: times.serverTime.toISOString(),
      }) as Launch;
    },
    async result(orderNo) {
      const { code, verdict, reason, similarity } = await harness.grpcClient.unary(
        getResult,
        { orderNo },
        { timeoutMs: 10_000 },
      );
      return { code, verdict: nameOf(Verdict, verdict), reason: nameOf(VerdictReason, reason), similarity };
    },
  },
  "buf curl over gRPC, by reflection": {
    launch: async (fields) => snake(await bufCurl("GetFaceParams", fields)) as Launch,
    result: async (orderNo) => fromJson(await bufCurl("GetResult", { orderNo })),
  },
};

describe.each(Object.entries(doors))("%s", (name, door) => {
  const userId = `user${Object.keys(doors).indexOf(name)}`;

  test("a client takes a person from a launch to a pass", async () => {
    const launch = await door.launch({ ...person, userId });
    expect(launch).toEqual({
      order_no: expect.stringMatching(/^[0-9A-Za-z]{32}$/) as string,
      face_id: expect.stringMatching(/^\S{32}$/) as string,
      app_id: harness.sandbox.appId,
      version: "1.0.0",
      nonce: expect.stringMatching(/^[0-9A-Za-z]{32}$/) as string,
      user_id: userId,
      sign: expect.stringMatching(/^[0-9A-F]{40}$/) as string,
      licence: "test-licence",
      start_before: expect.any(String) as string,
      server_time: expect.any(String) as string,
      livemode: false,
    });
    const secondsToStart = (Date.parse(launch.start_before) - Date.parse(launch.server_time)) / 1000;
    expect(secondsToStart).toBeGreaterThan(100);
    expect(secondsToStart).toBeLessThanOrEqual(120);

    const before = await door.result(launch.order_no);
    expect(before).toMatchObject({ code: "66660011", verdict: "NOT_COMPLETED", reason: "NO_RECORD" });
    expect((await harness.playSdk(launch)).status).toBe(200);
    const after = await door.result(launch.order_no);
    expect(after).toMatchObject({ code: "0", verdict: "PASSED", reason: "SAME_PERSON" });
    expect(Number(after.similarity)).toBeGreaterThan(50);
  });

  test("every other client reads the same result of a client's order", async () => {
    const launch = await door.launch({ ...person, userId: `${userId}b` });
    await harness.playSdk(launch, "not_same_person");
    for (const other of Object.values(doors)) {
      expect(await other.result(launch.order_no)).toMatchObject({
        code: "66660004",
        verdict: "FAILED",
        reason: "NOT_SAME_PERSON",
      });
    }
  });
});

test("buf curl lists the services without a schema", async () => {
  const args = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--list-methods", harness.grpc];
  const { stdout } = await run("buf", args);
  expect(stdout.split("\n")).toEqual(
    expect.arrayContaining([
      `${SERVICE}/GetFaceParams`,
      `${SERVICE}/GetResult`,
      "grpc.health.v1.Health/Check",
    ]),
  );
});

test("the x-request-id is returned by every door", async () => {
  const headers = { "x-request-id": "id-1" };
  expect((await harness.form("/get_result", "order_no=x", headers)).headers.get("x-request-id")).toBe("id-1");
  expect((await harness.json("GetResult", {}, headers)).headers.get("x-request-id")).toBe("id-1");
  const lines = harness.logs.filter(
    (line) => line["request_id"] === "id-1" && line["event"] === "call_finished",
  );
  expect(lines).toHaveLength(2);
});

test("no client's calls violate the vendor's rules", () => {
  expect(harness.sandbox.breaches).toEqual([]);
});

test("an unknown method is UNIMPLEMENTED for grpc-js", async () => {
  const unknown = { ...getResult, name: "NoSuchMethod" } as typeof getResult;
  await expect(harness.grpcClient.unary(unknown, {})).rejects.toMatchObject({
    code: grpc.status.UNIMPLEMENTED,
  });
});
