import { Code } from "@connectrpc/connect";
import { HTTP_STATUS as FORM_STATUS } from "../../src/doors/form/errors.ts";
import { GRPC_CODES } from "../../src/doors/rpc/errors.ts";
import { ErrorReason, reasonName } from "../../src/errors.ts";
import type { Schema } from "./schemas.ts";

const REASONS = Object.values(ErrorReason).filter((reason) => reason !== ErrorReason.UNSPECIFIED);

/** HTTP status of each Connect code (https://connectrpc.com/docs/protocol#error-codes). */
const CONNECT_STATUS: Readonly<Partial<Record<Code, number>>> = {
  [Code.Canceled]: 499,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.Unauthenticated]: 401,
};

/** An error of the form routes. */
export const FORM_ERROR: Schema = {
  type: "object",
  required: ["code", "msg", "reason"],
  properties: {
    code: {
      type: "string",
      description: 'The vendor\'s code where there is one, else the HTTP status; never "0".',
    },
    msg: { type: "string", description: "For people; never branch on it." },
    reason: { type: "string", enum: REASONS.map(reasonName) },
    fields: {
      type: "array",
      description: "The fields that are to blame, and the rule each breaks.",
      items: {
        type: "object",
        required: ["field", "rule"],
        properties: { field: { type: "string" }, rule: { type: "string" } },
        additionalProperties: false,
      },
    },
  },
  additionalProperties: false,
};

/** An error of the Connect protocol, with google.rpc details. */
export const CONNECT_ERROR: Schema = {
  type: "object",
  required: ["code"],
  properties: {
    code: { type: "string", description: "The Connect code, such as `invalid_argument`." },
    message: { type: "string" },
    details: {
      type: "array",
      description:
        "google.rpc.ErrorInfo (its `reason` is the one to branch on), BadRequest, RetryInfo, LocalizedMessage.",
      items: {
        type: "object",
        required: ["type", "value"],
        properties: {
          type: { type: "string" },
          value: { type: "string", description: "The message in Base64 without padding." },
          debug: { description: "The same as JSON." },
        },
      },
    },
  },
};

type Responses = Readonly<Record<string, unknown>>;

/** One response for each status of the form routes, naming the reasons that lead to it. */
export const formResponses = (): Responses => responses((reason) => FORM_STATUS[reason], "FormError");

/** The same for Connect, whose statuses follow from the code. */
export const connectResponses = (): Responses =>
  responses((reason) => CONNECT_STATUS[GRPC_CODES[reason]] ?? 500, "ConnectError");

function responses(statusOf: (reason: ErrorReason) => number, schema: string): Responses {
  const byStatus = Map.groupBy(REASONS, statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, reasons]) => [
      String(status),
      {
        description: reasons.map(reasonName).join(", "),
        content: { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } },
      },
    ]),
  );
}
