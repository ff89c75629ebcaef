import type {
  GetFaceParamsRequest,
  GetFaceParamsRequestSchema,
  GetFaceParamsResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Caller } from "../calls/call.ts";
import type { MethodSpec } from "../calls/implement.ts";
import { identityViolations, type Names, normaliseIdentity, personNumber } from "../domain/identity.ts";
import type { OrderNumbers } from "../domain/order-number.ts";
import type { FieldViolation } from "../errors.ts";
import { Pii } from "../lib/redacted.ts";
import type { PrepareLaunch } from "./prepare-launch.ts";

export interface GetFaceParamsOptions {
  /** How names are spelled for the vendor. */
  names: Names;
  orderNumbers: Pick<OrderNumbers, "userIdOf">;
  prepareLaunch: PrepareLaunch;
}

/** GetFaceParams: an identity, normalised and checked, and the launch prepared for it. */
export function createGetFaceParams({
  names,
  orderNumbers,
  prepareLaunch,
}: GetFaceParamsOptions): MethodSpec<typeof GetFaceParamsRequestSchema, typeof GetFaceParamsResponseSchema> {
  return {
    normalise: (request) => ({ ...request, ...normaliseIdentity(request, names) }),
    violations: (request, caller) => [...identityViolations(request), ...ownOrderViolations(request, caller)],
    handler(request, call) {
      // Once a call. perf: docs/performance.md#one-hmac
      const person = orderNumbers.userIdOf(new Pii(personNumber(request.idNo)));
      // Also for a call that joins another's launch: the audit trail lists every attempt.
      call.note({ person });
      return prepareLaunch(request, person, call);
    },
  };
}

/**
 * Only internal callers may supply an order number: a stranger's could not be distinguished from a guess
 * later.
 */
function ownOrderViolations({ orderNo }: GetFaceParamsRequest, caller: Caller): FieldViolation[] {
  if (orderNo === "" || caller.internal) return [];
  return [{ field: "order_no", rule: "order_no.internal" }];
}
