// The contract as descriptors and types, and a client over any transport of Connect's.
import { createClient } from "@connectrpc/connect";
import { FaceVerificationService } from "./dist/esm/faceverification/v1/face_verification_service_pb.js";
import { VerificationLinkService } from "./dist/esm/faceverification/v1/link_pb.js";

export * from "./dist/esm/faceverification/v1/face_verification_service_pb.js";
export * from "./dist/esm/faceverification/v1/link_pb.js";
export * from "./dist/esm/faceverification/v1/order_pb.js";
export * from "./dist/esm/faceverification/v1/verdict_pb.js";
export * from "./dist/esm/faceverification/v1/error_pb.js";
export * from "./dist/esm/google/rpc/error_details_pb.js";

export const createFaceVerificationClient = (transport) => createClient(FaceVerificationService, transport);
export const createVerificationLinkClient = (transport) => createClient(VerificationLinkService, transport);
