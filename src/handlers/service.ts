import {
  FaceVerificationService,
  type GetFaceParamsRequest,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Caller } from "../calls/call.ts";
import type { Pipeline } from "../calls/pipeline.ts";
import { identityViolations, type Names, normaliseIdentity, personNumber } from "../domain/identity.ts";
import type { FieldViolation } from "../errors.ts";
import { Pii } from "../lib/redacted.ts";
import { createGetFaceParams, type GetFaceParamsOptions } from "./get-face-params.ts";
import { createGetResult, type GetResultOptions } from "./get-result.ts";
import { type ShareLaunchesOptions, shareLaunches } from "./share-launches.ts";

/** Every RPC of FaceVerificationService, wrapped: what the doors call. */
export type Methods = ReturnType<typeof createMethods>;

/** Wraps each handler once. A new RPC begins with an entry here. */
export function createMethods(
  pipeline: Pipeline,
  options: GetFaceParamsOptions & GetResultOptions & ShareLaunchesOptions & { names?: Names },
) {
  const launch = shareLaunches(createGetFaceParams(options), options);
  const { getFaceParams, getResult } = FaceVerificationService.method;
  return {
    getFaceParams: pipeline({
      name: getFaceParams.name,
      input: getFaceParams.input,
      output: getFaceParams.output,
      normalise: (request) => ({ ...request, ...normaliseIdentity(request, options.names) }),
      violations: (request, caller) => [
        ...identityViolations(request),
        ...ownOrderViolations(request, caller),
      ],
      handler(request, call) {
        const person = options.orders.userIdOf(new Pii(personNumber(request.idNo)));
        // Also for those who only share a launch: the audit trail tells of every attempt.
        call.note({ person });
        return launch(request, person, call);
      },
    }),
    getResult: pipeline({
      name: getResult.name,
      input: getResult.input,
      output: getResult.output,
      handler: createGetResult(options),
    }),
  };
}

/** A stranger's order number could not be told from a guess later, so only internal callers bring their own. */
function ownOrderViolations({ orderNo }: GetFaceParamsRequest, caller: Caller): FieldViolation[] {
  if (orderNo === "" || caller.internal) return [];
  return [{ field: "order_no", rule: "order_no.internal" }];
}
