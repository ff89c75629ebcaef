import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../../gen/faceverification/v1/face_verification_service_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../gen/grpc/health/v1/health_pb.ts";
import { eventually, type Harness, startHarness } from "../../support/harness.ts";

const SERVICE = FaceVerificationService.typeName;
const clientOf = ({ grpc }: Harness) => createClient(Health, createGrpcTransport({ baseUrl: grpc }));
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "OK",
    (error: unknown) => ConnectError.from(error).code,
  );

describe("grpc.health.v1", () => {
  test("Check reports the process, the service and unknown services", async () => {
    await using harness = await startHarness();
    const client = clientOf(harness);
    expect((await client.check({ service: "" })).status).toBe(Status.SERVING);
    expect((await client.check({ service: SERVICE })).status).toBe(Status.SERVING);
    expect(await codeOf(client.check({ service: "no.such.Service" }))).toBe(Code.NotFound);
  });

  test.each([
    ["", [Status.SERVING, Status.NOT_SERVING]],
    [SERVICE, [Status.SERVING, Status.NOT_SERVING]],
    ["no.such.Service", [Status.SERVICE_UNKNOWN]],
  ])("a Watch of %j reports its status until the service stops", async (service, expected) => {
    const other = await startHarness();
    const watching = clientOf(other).watch({ service });
    const seen: Status[] = [];
    const ended = (async () => {
      for await (const { status } of watching) seen.push(status);
    })();
    await eventually(() => seen.length === 1);
    const began = performance.now();
    await other.stop();
    await ended;
    expect(seen).toEqual(expected);
    // It did not wait for the drain time.
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test("a Watch reports when the service becomes ready", async () => {
    await using other = await startHarness({
      ready: false,
      env: { TOKEN_OVERLAP: "6s" },
      prepare: ({ faults }) => faults.add({ endpoint: "access_token", kind: "code", times: null }),
    });
    const left = new AbortController();
    const client = clientOf(other);
    expect((await client.check({ service: "" })).status).toBe(Status.SERVING);
    expect((await client.check({ service: SERVICE })).status).toBe(Status.NOT_SERVING);
    const seen: Status[] = [];
    const ended = (async () => {
      for await (const { status } of client.watch({ service: SERVICE }, { signal: left.signal })) {
        seen.push(status);
      }
    })();
    await eventually(() => seen.length === 1);
    other.sandbox.faults.clear();
    await eventually(() => seen.length === 2);
    expect(seen).toEqual([Status.NOT_SERVING, Status.SERVING]);
    left.abort();
    expect(await codeOf(ended)).toBe(Code.Canceled);
  });
});
