import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { FaceVerificationService } from "../../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { IncomingCall } from "../../calls/call.ts";
import type { Implementation } from "../../calls/implement.ts";
import type { Wrapped } from "../../calls/pipeline.ts";
import { type Language, languageOf } from "../../domain/messages.ts";
import { callerLeft, ErrorReason, type FieldViolation, ServiceError } from "../../errors.ts";
import type { ServiceEvents } from "../../events.ts";
import { bearerToken, scopeOf } from "../../lib/http.ts";
import { formError, MethodNotAllowed } from "./errors.ts";
import {
  FACE_PARAMS_FIELDS,
  type FormAnswer,
  faceParamsAnswer,
  faceParamsRequest,
  RESULT_FIELDS,
  resultAnswer,
  resultRequest,
} from "./fields.ts";
import { parseForm, strictViolations } from "./parse.ts";

const FORM = "application/x-www-form-urlencoded";

export interface FormOptions {
  methods: Implementation<typeof FaceVerificationService>["methods"];
  /** Max body size, bytes. */
  bodyLimit: number;
  /** Handling of input that the demo's server ignored: ignore it, report it to the operator, or reject it. */
  strict: "off" | "observe" | "enforce";
  events: Pick<ServiceEvents, "requestRefused" | "answerFailed" | "wouldBeRefused">;
}

/** A route: how to read its request from a form and write its response. */
interface Route<Input extends DescMessage, Output extends DescMessage> {
  path: string;
  /** Names of all its form fields. */
  fields: readonly string[];
  method: Wrapped<Input, Output>;
  read: (form: ReadonlyMap<string, string>) => MessageShape<Input>;
  write: (response: MessageShape<Output>, language: Language) => FormAnswer;
}

/**
 * The form door: the two routes of the vendor's demo, unchanged (protocol.md 7.3,
 * docs/architecture.md#the-form-routes). Translates, and calls the same wrapped handlers as the RPC door.
 */
export function createFormRoutes({ methods, bodyLimit, strict, events }: FormOptions) {
  /** Violations of a form that is nevertheless readable. */
  function inspect(
    form: ReadonlyMap<string, string>,
    fields: readonly string[],
    request: FastifyRequest,
  ): readonly FieldViolation[] {
    if (strict === "off") return [];
    const violations = strictViolations(form, fields, request.query as Readonly<Record<string, unknown>>);
    const [first] = violations;
    if (!first || strict === "enforce") return violations;
    events.wouldBeRefused({ door: "form", rule: first.rule, requestId: request.id });
    return [];
  }

  return async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(FORM, { parseAs: "buffer", bodyLimit }, (_request, body, done) =>
      done(null, body),
    );
    app.setErrorHandler<FastifyError>((error, request, reply) => {
      const refusal = asRefusal(error);
      const facts = { door: "form", requestId: request.id, path: request.routeOptions.url ?? "" };
      // Nothing before the pipeline fails as INTERNAL and nothing escapes from it, so the failure is in
      // writing a response.
      if (refusal.reason === ErrorReason.INTERNAL) events.answerFailed({ ...facts, error });
      else events.requestRefused({ ...facts, error: refusal });
      return answerError(refusal, request, reply);
    });
    route(app, inspect, {
      path: "/get_face_params",
      fields: FACE_PARAMS_FIELDS,
      method: methods.getFaceParams,
      read: faceParamsRequest,
      write: faceParamsAnswer,
    });
    route(app, inspect, {
      path: "/get_result",
      fields: RESULT_FIELDS,
      method: methods.getResult,
      read: resultRequest,
      write: resultAnswer,
    });
  };
}

function route<Input extends DescMessage, Output extends DescMessage>(
  app: FastifyInstance,
  inspect: (
    form: ReadonlyMap<string, string>,
    fields: readonly string[],
    request: FastifyRequest,
  ) => readonly FieldViolation[],
  { path, fields, method, read, write }: Route<Input, Output>,
): void {
  app.post(path, async (request, reply) => {
    const body = formBody(request);
    const form = parseForm(body);
    const call = {
      ...incomingCall(request, reply, path, body),
      violations: () => inspect(form, fields, request),
    };
    const respond = await method(read(form), call).then(
      (response) => () => write(response, language(request)),
      // The pipeline rejects only with ServiceError, and has reported it.
      (error: ServiceError) => () => answerError(error, request, reply),
    );
    return respond();
  });
  app.route({
    method: ["GET", "PUT", "PATCH", "DELETE"],
    url: path,
    handler: (_request, reply) => {
      void reply.header("allow", "POST");
      throw new MethodNotAllowed(ErrorReason.ROUTE_NOT_FOUND, "only POST is answered here");
    },
  });
}

/**
 * The body's bytes. Fastify has checked size and content type, but neither the charset nor a body without a
 * type.
 */
function formBody(request: FastifyRequest): Uint8Array {
  const type = request.headers["content-type"] ?? "";
  const charset = /charset="?([^;"\s]+)/i.exec(type)?.[1] ?? "utf-8";
  if (!(request.body instanceof Uint8Array) || !/^utf-?8$/i.test(charset)) throw unsupported();
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") throw unsupported({ field: "content-encoding", rule: "form.encoding" });
  return request.body;
}

const CONTENT_TYPE = { field: "content-type", rule: "form.content_type" };

function unsupported(violation: FieldViolation = CONTENT_TYPE): ServiceError {
  return new ServiceError(ErrorReason.UNSUPPORTED_MEDIA_TYPE, "not a form", { violations: [violation] });
}

/** Converts an error of Fastify or the parser to a ServiceError. */
function asRefusal(error: FastifyError | ServiceError): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error.statusCode === 413)
    return new ServiceError(ErrorReason.PAYLOAD_TOO_LARGE, "the form is too large");
  if (error.statusCode === 415) return unsupported();
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return new ServiceError(ErrorReason.MALFORMED_REQUEST, "not a readable request", { cause: error.code });
  }
  return new ServiceError(ErrorReason.INTERNAL, "unexpected error", { cause: error });
}

function incomingCall(
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
  body: Uint8Array,
): IncomingCall {
  const signature = single(request.headers["x-signature"]);
  return {
    door: "form",
    listener: "public",
    requestId: request.id,
    credential: bearerToken(request.headers.authorization),
    appSignature: signature === undefined ? undefined : { header: signature, path, body },
    peer: request.peer,
    traceparent: single(request.headers["traceparent"]),
    answerHeader: (name, value) => void reply.header(name, value),
    language: request.headers["accept-language"],
    scope: scopeOf(reply, callerLeft),
  };
}

/** A header that may occur only once. */
const single = (header: string | string[] | undefined) => (typeof header === "string" ? header : undefined);

/** Chinese, as for the demo's users, unless the caller requests otherwise. */
const language = (request: FastifyRequest) => languageOf(request.headers["accept-language"], "zh");

function answerError(error: ServiceError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, headers, body } = formError(error, language(request));
  return reply.code(status).headers(headers).send(body);
}
