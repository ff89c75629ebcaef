import {
  FaceVerificationService,
  type GetFaceParamsRequest,
  type GetResultRequest,
  type GetResultResponse,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Caller, Handler } from "../calls/call.ts";
import { type Implementation, implement } from "../calls/implement.ts";
import type { Pipeline } from "../calls/pipeline.ts";
import { identityViolations, type Names, normaliseIdentity, personNumber } from "../domain/identity.ts";
import type { Orders } from "../domain/order.ts";
import type { FieldViolation } from "../errors.ts";
import { Pii } from "../lib/redacted.ts";
import type { PrepareLaunch } from "./get-face-params.ts";

/** FaceVerificationService as the doors serve it. */
export type FaceVerification = Implementation<typeof FaceVerificationService>;

export interface FaceVerificationOptions {
  /** How names are spelled for the vendor. */
  names?: Names;
  orders: Pick<Orders, "userIdOf">;
  prepareLaunch: PrepareLaunch;
  getResult: Handler<GetResultRequest, GetResultResponse>;
}

/** The table of RPCs: each one's handler and its rules beyond the proto's. A new RPC is a line here. */
export function createFaceVerification(
  pipeline: Pipeline,
  { names, orders, prepareLaunch, getResult }: FaceVerificationOptions,
): FaceVerification {
  return implement(FaceVerificationService, pipeline, {
    getFaceParams: {
      normalise: (request) => ({ ...request, ...normaliseIdentity(request, names) }),
      violations: (request, caller) => [
        ...identityViolations(request),
        ...ownOrderViolations(request, caller),
      ],
      handler(request, call) {
        const person = orders.userIdOf(new Pii(personNumber(request.idNo)));
        // Also for a call that joins another's launch: the audit trail lists every attempt.
        call.note({ person });
        return prepareLaunch(request, person, call);
      },
    },
    getResult: { handler: getResult },
  });
}

/**
 * Only internal callers may supply an order number: a stranger's could not be distinguished from a guess
 * later.
 */
function ownOrderViolations({ orderNo }: GetFaceParamsRequest, caller: Caller): FieldViolation[] {
  if (orderNo === "" || caller.internal) return [];
  return [{ field: "order_no", rule: "order_no.internal" }];
}
