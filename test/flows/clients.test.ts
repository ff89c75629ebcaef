import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { type Harness, startHarness } from "../support/harness.ts";

const SERVICE = FaceVerificationService.typeName;
let harness: Harness;
let session: Http2SessionManager;
beforeAll(async () => {
  harness = await startHarness();
  session = new Http2SessionManager(harness.grpc);
});
afterAll(async () => {
  session.abort();
  await harness.stop();
});

/** Each listener of docs/architecture.md#the-listeners as real clients reach it. */
const transports: Record<string, () => Transport> = {
  "public: Connect, JSON": () =>
    createConnectTransport({ baseUrl: harness.http, httpVersion: "1.1", useBinaryFormat: false }),
  "public: Connect, binary": () =>
    createConnectTransport({ baseUrl: harness.http, httpVersion: "1.1", useBinaryFormat: true }),
  "public: gRPC-Web": () => createGrpcWebTransport({ baseUrl: harness.http, httpVersion: "1.1" }),
  "internal: gRPC": () => createGrpcTransport({ baseUrl: harness.grpc, sessionManager: session }),
  "internal: Connect, JSON": () =>
    createConnectTransport({
      baseUrl: harness.grpc,
      httpVersion: "2",
      sessionManager: session,
      useBinaryFormat: false,
    }),
  "internal: Connect, binary": () =>
    createConnectTransport({
      baseUrl: harness.grpc,
      httpVersion: "2",
      sessionManager: session,
      useBinaryFormat: true,
    }),
  "internal: gRPC-Web": () =>
    createGrpcWebTransport({ baseUrl: harness.grpc, httpVersion: "2", sessionManager: session }),
};

const failure = (call: Promise<unknown>) =>
  call.then(
    () => new ConnectError("no error"),
    (error: unknown) => ConnectError.from(error),
  );

describe.each(Object.entries(transports))("%s", (name, transport) => {
  const userId = `client${Object.keys(transports).indexOf(name)}`;
  const person = { name: "张三", idNo: "11010519491231002X", userId };

  test("a Connect client takes a person from a launch to a pass", async () => {
    const client = createClient(FaceVerificationService, transport());
    const launch = await client.getFaceParams(person, { timeoutMs: 10_000 });
    expect(launch).toMatchObject({ userId, appId: harness.sandbox.appId, livemode: false });
    expect((await client.getResult({ orderNo: launch.orderNo })).verdict).toBe(Verdict.NOT_COMPLETED);
    const { orderNo, faceId, appId, version, nonce, sign } = launch;
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
    expect((await client.getResult({ orderNo })).verdict).toBe(Verdict.PASSED);
  });

  test("a Connect client reads the details of an error", async () => {
    const client = createClient(FaceVerificationService, transport());
    const error = await failure(client.getFaceParams({ ...person, idNo: "110105194912310021" }));
    expect(error.code).toBe(Code.InvalidArgument);
    const [info] = error.findDetails(ErrorInfoSchema);
    expect(info).toMatchObject({ reason: "INVALID_REQUEST", domain: "faceverification.v1" });
  });

  test("reflection and health are served only by the internal listener", async () => {
    const outcome = failure(createClient(Health, transport()).check({ service: SERVICE }));
    expect((await outcome).code).toBe(name.startsWith("internal") ? Code.Unknown : Code.Unimplemented);
  });
});

test("no client's calls violate the vendor's rules", () => {
  expect(harness.sandbox.breaches).toEqual([]);
});
