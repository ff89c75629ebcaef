import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../../gen/faceverification/v1/face_verification_service_pb.ts";
import { ServerReflection as V1 } from "../../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as V1Alpha } from "../../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { type Harness, startHarness } from "../../support/harness.ts";

const SERVICE = FaceVerificationService.typeName;
let harness: Harness;
let sessionManager: Http2SessionManager;
beforeAll(async () => {
  harness = await startHarness();
  sessionManager = new Http2SessionManager(harness.grpc);
});
afterAll(async () => {
  sessionManager.abort();
  await harness.stop();
});

describe.each([
  ["v1", V1],
  ["v1alpha", V1Alpha],
] as const)("reflection %s", (_version, schema) => {
  type Question = { case: string; value: unknown };

  /** Asks everything on one stream, as clients do. */
  async function ask(...questions: Question[]) {
    const client = createClient(
      schema as typeof V1,
      createGrpcTransport({ baseUrl: harness.grpc, sessionManager }),
    );
    async function* requests() {
      for (const messageRequest of questions) yield { host: "here", messageRequest } as never;
    }
    const answers = [];
    for await (const answer of client.serverReflectionInfo(requests())) answers.push(answer);
    expect(answers.map(({ validHost }) => validHost)).toEqual(questions.map(() => "here"));
    expect(answers.map(({ originalRequest }) => originalRequest?.messageRequest.case)).toEqual(
      questions.map((question) => question.case),
    );
    return answers.map(({ messageResponse }) => messageResponse);
  }

  const filesIn = (answer: Awaited<ReturnType<typeof ask>>[number] | undefined) => {
    if (answer?.case !== "fileDescriptorResponse") throw new Error(`no files but ${answer?.case}`);
    return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
  };

  test("reflection lists the services", async () => {
    const [answer] = await ask({ case: "listServices", value: "" });
    if (answer?.case !== "listServicesResponse") throw new Error("no list");
    expect(answer.value.service.map((service) => service.name).sort()).toEqual([
      SERVICE,
      "faceverification.v1.VerificationLinkService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
  });

  test.each([
    SERVICE,
    `${SERVICE}.GetResult`,
    "faceverification.v1.GetFaceParamsRequest",
    "faceverification.v1.GetFaceParamsRequest.id_no",
  ])("reflection finds the file that declares %s, and its imports", async (symbol) => {
    const [answer] = await ask({ case: "fileContainingSymbol", value: symbol });
    const names = filesIn(answer);
    expect(names[0]).toBe("faceverification/v1/face_verification_service.proto");
    expect(names).toEqual(
      expect.arrayContaining([
        "buf/validate/validate.proto",
        "faceverification/v1/verdict.proto",
        "google/protobuf/timestamp.proto",
        "google/protobuf/descriptor.proto",
      ]),
    );
    expect(new Set(names).size).toBe(names.length);
  });

  test("reflection answers several requests on one stream, including the unanswerable ones", async () => {
    const answers = await ask(
      { case: "fileByFilename", value: "faceverification/v1/verdict.proto" },
      { case: "fileContainingSymbol", value: "faceverification.v1.NoSuchThing" },
      { case: "fileByFilename", value: "no/such.proto" },
      {
        case: "fileContainingExtension",
        value: { containingType: "google.protobuf.FieldOptions", extensionNumber: 1159 },
      },
      { case: "allExtensionNumbersOfType", value: "google.protobuf.FieldOptions" },
      { case: "allExtensionNumbersOfType", value: "no.such.Type" },
    );
    expect(answers.map((answer) => answer.case)).toEqual([
      "fileDescriptorResponse",
      "errorResponse",
      "errorResponse",
      "fileDescriptorResponse",
      "allExtensionNumbersResponse",
      "errorResponse",
    ]);
    expect(filesIn(answers[3])[0]).toBe("buf/validate/validate.proto");
    expect(answers[1]?.value).toMatchObject({ errorCode: Code.NotFound });
    expect(answers[4]?.value).toMatchObject({ extensionNumber: expect.arrayContaining([1159]) as number[] });
  });
});
