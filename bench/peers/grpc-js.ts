import * as grpc from "@grpc/grpc-js";
import {
  type GetFaceParamsRequest,
  type GetResultRequest,
  FaceVerificationService as Service,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { faceParams, result } from "../exchange.ts";
import { definition } from "./definition.ts";

// The whole exchange behind a @grpc/grpc-js server: what most Node programs that speak gRPC are built with.

const { getFaceParams, getResult } = Service.method;

function unary<T>(work: (request: T) => Promise<object>): grpc.handleUnaryCall<T, object> {
  return (call, callback) => {
    work(call.request).then(
      (value) => callback(null, value),
      (error: Error) => callback(error),
    );
  };
}

const server = new grpc.Server();
server.addService(
  { getFaceParams: definition(getFaceParams), getResult: definition(getResult) },
  {
    getFaceParams: unary(({ name, idNo, userId }: GetFaceParamsRequest) => faceParams(name, idNo, userId)),
    getResult: unary(({ orderNo }: GetResultRequest) => result(orderNo)),
  },
);
server.bindAsync(
  `127.0.0.1:${process.env["GRPC_PORT"]}`,
  grpc.ServerCredentials.createInsecure(),
  () => undefined,
);
