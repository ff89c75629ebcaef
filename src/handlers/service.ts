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
  /** How names are spelt for the vendor. */
  names?: Names;
  orders: Pick<Orders, "userIdOf">;
  prepareLaunch: PrepareLaunch;
  getResult: Handler<GetResultRequest, GetResultResponse>;
}

/** The table of RPCs: what each does, and its rules beyond those of the proto. A new RPC is a line here. */
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
        // Also for a call that only shares a launch: the audit trail lists every attempt.
        call.note({ person });
        return prepareLaunch(request, person, call);
      },
    },
    getResult: { handler: getResult },
  });
}

/** A stranger's order number could not be told from a guess later, so only internal callers bring their own. */
function ownOrderViolations({ orderNo }: GetFaceParamsRequest, caller: Caller): FieldViolation[] {
  if (orderNo === "" || caller.internal) return [];
  return [{ field: "order_no", rule: "order_no.internal" }];
}
