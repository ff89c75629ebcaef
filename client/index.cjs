"use strict";
// The contract as descriptors and types, and a client over any transport of Connect's.
const { createClient } = require("@connectrpc/connect");

module.exports = {
  ...require("./dist/cjs/faceverification/v1/face_verification_service_pb.js"),
  ...require("./dist/cjs/faceverification/v1/link_pb.js"),
  ...require("./dist/cjs/faceverification/v1/order_pb.js"),
  ...require("./dist/cjs/faceverification/v1/verdict_pb.js"),
  ...require("./dist/cjs/faceverification/v1/error_pb.js"),
  ...require("./dist/cjs/google/rpc/error_details_pb.js"),
  createFaceVerificationClient(transport) {
    return createClient(module.exports.FaceVerificationService, transport);
  },
  createVerificationLinkClient(transport) {
    return createClient(module.exports.VerificationLinkService, transport);
  },
};
