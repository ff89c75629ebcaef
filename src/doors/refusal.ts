import type { FastifyError } from "fastify";
import { ErrorReason, type FieldViolation, ServiceError } from "../errors.ts";

const CONTENT_TYPE = { field: "content-type", rule: "form.content_type" };

/** UNSUPPORTED_MEDIA_TYPE, for what is no form as the door reads it. */
export function notAForm(violation: FieldViolation = CONTENT_TYPE): ServiceError {
  return new ServiceError(ErrorReason.UNSUPPORTED_MEDIA_TYPE, "not a form", { violations: [violation] });
}

/** Converts what a route of Fastify's failed with, before or in its handler, to a ServiceError. */
export function asRefusal(error: FastifyError | ServiceError): ServiceError {
  if (error instanceof ServiceError) return error;
  const { statusCode = 500, code } = error;
  if (statusCode === 413) return new ServiceError(ErrorReason.PAYLOAD_TOO_LARGE, "the form is too large");
  if (statusCode === 415) return notAForm();
  if (statusCode < 500) {
    return new ServiceError(ErrorReason.MALFORMED_REQUEST, "not a readable request", { cause: code });
  }
  return new ServiceError(ErrorReason.INTERNAL, "unexpected error", { cause: error });
}
