// The contract as descriptors and types, and a client over any transport of Connect's.
import type { Client, Transport } from "@connectrpc/connect";
import type { FaceVerificationService } from "./dist/esm/faceverification/v1/face_verification_service_pb.js";
import type { VerificationLinkService } from "./dist/esm/faceverification/v1/link_pb.js";

export * from "./dist/esm/faceverification/v1/face_verification_service_pb.js";
export * from "./dist/esm/faceverification/v1/link_pb.js";
export * from "./dist/esm/faceverification/v1/order_pb.js";
export * from "./dist/esm/faceverification/v1/verdict_pb.js";
export * from "./dist/esm/faceverification/v1/error_pb.js";
export * from "./dist/esm/google/rpc/error_details_pb.js";

/** A client of the service; `transport` from @connectrpc/connect-node or @connectrpc/connect-web. */
export declare function createFaceVerificationClient(transport: Transport): Client<typeof FaceVerificationService>;

/** A client of the links of the service, which are on its internal listener. */
export declare function createVerificationLinkClient(transport: Transport): Client<typeof VerificationLinkService>;
