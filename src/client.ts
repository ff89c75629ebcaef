// The package's entry point for callers in TypeScript: the contract as descriptors and types, for any Connect transport.
export { ErrorReason } from "../gen/faceverification/v1/error_pb.ts";
export {
  FaceVerificationService,
  type GetFaceParamsRequest,
  GetFaceParamsRequestSchema,
  type GetFaceParamsResponse,
  GetFaceParamsResponseSchema,
  type GetResultRequest,
  GetResultRequestSchema,
  type GetResultResponse,
  GetResultResponseSchema,
  type Media,
  MediaSchema,
  PhotoType,
} from "../gen/faceverification/v1/face_verification_service_pb.ts";
export { NextStep, Verdict, VerdictReason } from "../gen/faceverification/v1/verdict_pb.ts";
export { ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
