import { timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import * as grpc from "@grpc/grpc-js";
import { pino } from "pino";
import { collectDefaultMetrics, Histogram, register } from "prom-client";
import {
  type GetFaceParamsRequest,
  type GetResultRequest,
  FaceVerificationService as Service,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { faceParams, result } from "../exchange.ts";
import { definition } from "./definition.ts";

// The exchange as a team builds it on @grpc/grpc-js from what is at hand: an access line for each call, the rules of the
// proto checked by protovalidate, a histogram for each method, and a bearer token.

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];
const EXPECTED = Buffer.from(`Bearer ${process.env["TOKEN"]}`);
const { getFaceParams, getResult } = Service.method;

const log = pino();
const validator = createValidator();
collectDefaultMetrics();
const seconds = new Histogram({
  name: "grpc_server_handling_seconds",
  help: "Time to answer.",
  labelNames: ["grpc_method", "grpc_code"],
  buckets: BUCKETS,
});

function isAllowed(metadata: grpc.Metadata): boolean {
  const given = Buffer.from(String(metadata.get("authorization")[0] ?? ""));
  return given.length === EXPECTED.length && timingSafeEqual(given, EXPECTED);
}

async function answer<T extends Message>(
  method: DescMethodUnary,
  { metadata, request }: grpc.ServerUnaryCall<T, object>,
  work: (request: T) => Promise<object>,
): Promise<object> {
  if (!isAllowed(metadata)) throw { code: grpc.status.UNAUTHENTICATED, details: "invalid token" };
  const { kind, error } = validator.validate(method.input, request);
  if (kind !== "valid") throw { code: grpc.status.INVALID_ARGUMENT, details: error.message };
  return work(request);
}

function unary<T extends Message>(
  method: DescMethodUnary,
  work: (request: T) => Promise<object>,
): grpc.handleUnaryCall<T, object> {
  return (call, callback) => {
    const from = performance.now();
    const end = (code: grpc.status) => {
      const ms = performance.now() - from;
      seconds.observe({ grpc_method: method.name, grpc_code: grpc.status[code] }, ms / 1000);
      const [agent, peer] = [call.metadata.get("user-agent")[0], call.getPeer()];
      log.info({ method: method.name, code: grpc.status[code], peer, agent, ms }, "call completed");
    };
    answer(method, call, work).then(
      (value) => {
        callback(null, value);
        end(grpc.status.OK);
      },
      (error: grpc.ServiceError) => {
        callback(error);
        end(error.code ?? grpc.status.UNKNOWN);
      },
    );
  };
}

const server = new grpc.Server();
server.addService(
  { getFaceParams: definition(getFaceParams), getResult: definition(getResult) },
  {
    getFaceParams: unary(getFaceParams, ({ name, idNo, userId }: GetFaceParamsRequest) =>
      faceParams(name, idNo, userId),
    ),
    getResult: unary(getResult, ({ orderNo }: GetResultRequest) => result(orderNo)),
  },
);
server.bindAsync(`127.0.0.1:${process.env["GRPC_PORT"]}`, grpc.ServerCredentials.createInsecure(), () => {
  createServer((_, response) => {
    void register.metrics().then((text) => response.end(text));
  }).listen(Number(process.env["PORT"]), "127.0.0.1");
});
