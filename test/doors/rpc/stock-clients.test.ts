import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { GrpcReflection } from "grpc-js-reflection-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Harness, startHarness } from "../../support/harness.ts";

const run = promisify(execFile);
const SERVICE = "faceverification.v1.FaceVerificationService";
const person = { name: "张三", id_no: "11010519491231002X" };

// Nothing of this repository's proto or generated code is used here: only what stock clients bring or ask for.
let harness: Harness;
let address: string;
beforeAll(async () => {
  harness = await startHarness();
  address = harness.grpc.replace("http://", "");
});
afterAll(() => harness.stop());

describe("grpc-health-check on grpc-js", () => {
  // biome-ignore lint/suspicious/noExplicitAny: a client that is made at run time
  let client: any;
  beforeAll(() => {
    const Client = grpc.makeClientConstructor(healthService, "Health");
    client = new Client(address, grpc.credentials.createInsecure());
  });
  afterAll(() => client.close());

  const check = (service: string) =>
    new Promise<string>((resolve, reject) => {
      client.check({ service }, (error: Error | null, answer: { status: string }) =>
        error ? reject(error) : resolve(answer.status),
      );
    });

  test("grpc-health-check reads the status by Check", async () => {
    expect([await check(""), await check(SERVICE)]).toEqual(["SERVING", "SERVING"]);
    await expect(check("no.such.Service")).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
  });

  test("grpc-health-check follows a Watch and can cancel it", async () => {
    const call = client.watch({ service: SERVICE });
    const first = await new Promise((resolve) => call.once("data", resolve));
    expect(first).toMatchObject({ status: "SERVING" });
    call.on("error", () => undefined);
    call.cancel();
  });
});

test.each(["v1", "v1alpha"] as const)(
  "a reflection client of %s finds the service and calls it with what it found",
  async (version) => {
    const client = new GrpcReflection(address, grpc.ChannelCredentials.createInsecure(), {}, version);
    const services = await client.listServices();
    expect(services).toContain(SERVICE);
    const descriptor = await client.getDescriptorBySymbol(SERVICE);
    const object = descriptor.getPackageObject() as {
      faceverification: { v1: { FaceVerificationService: grpc.ServiceClientConstructor } };
    };
    const { FaceVerificationService } = object.faceverification.v1;
    const caller = new FaceVerificationService(address, grpc.credentials.createInsecure());
    const answer = await new Promise<Record<string, unknown>>((resolve, reject) => {
      // biome-ignore lint/suspicious/noExplicitAny: a client that is made at run time
      (caller as any).GetResult(
        { orderNo: "order1", order_no: "order1" },
        (error: Error | null, value: Record<string, unknown>) => (error ? reject(error) : resolve(value)),
      );
    });
    expect(Object.values(answer)).toContain("66660011");
    caller.close();
  },
);

describe("buf curl, in an empty directory", () => {
  let directory: string;
  const buf = join(import.meta.dirname, "../../../node_modules/.bin/buf");
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "buf-"));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const curl = async (...args: string[]) => {
    const all = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", ...args];
    return (await run(buf, all, { cwd: directory })).stdout;
  };

  test("buf curl lists the methods without a schema", async () => {
    const listed = await curl("--list-methods", harness.grpc);
    expect(listed.trim().split("\n")).toEqual(
      expect.arrayContaining([
        `${SERVICE}/GetFaceParams`,
        `${SERVICE}/GetResult`,
        "grpc.health.v1.Health/Check",
      ]),
    );
  });

  test("buf curl calls a method and prints errors with their details", async () => {
    const data = JSON.stringify({ name: person.name, idNo: person.id_no });
    const launch = JSON.parse(await curl("-d", data, `${harness.grpc}/${SERVICE}/GetFaceParams`));
    expect(launch.sign).toMatch(/^[0-9A-F]{40}$/);
    const failed = await curl("-d", '{"name":"x"}', `${harness.grpc}/${SERVICE}/GetFaceParams`).catch(
      (error: { stderr: string }) => error.stderr,
    );
    const { code, details } = JSON.parse(failed as string) as {
      code: string;
      details: { type: string; value: string }[];
    };
    expect(code).toBe("invalid_argument");
    // buf writes details of a gRPC error in Base64, whatever reflection knows of them.
    const texts = Object.fromEntries(
      details.map(({ type, value }) => [type, Buffer.from(value, "base64").toString("latin1")]),
    );
    expect(texts["google.rpc.ErrorInfo"]).toContain("INVALID_REQUEST");
    expect(texts["google.rpc.BadRequest"]).toContain("id_no");
  });
});
