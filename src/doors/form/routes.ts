import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { FaceVerificationService } from "../../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { IncomingCall } from "../../calls/call.ts";
import type { Implementation } from "../../calls/implement.ts";
import type { Wrapped } from "../../calls/pipeline.ts";
import { type Language, languageOf } from "../../domain/messages.ts";
import { callerLeft, ErrorReason, type FieldViolation, ServiceError } from "../../errors.ts";
import type { ServiceEvents } from "../../events.ts";
import type { Budget } from "../../lib/budget.ts";
import { bearerToken, closeIfUnread, scopeOf } from "../../lib/http.ts";
import { readBody } from "../body.ts";
import { asRefusal, notAForm } from "../refusal.ts";
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
/** Max size of a form, bytes. */
const MAX_BYTES = 64 * 1024;

export interface FormOptions {
  methods: Implementation<typeof FaceVerificationService>["methods"];
  /** The process-wide budget for bodies. */
  intake: Budget;
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
export function createFormRoutes(options: FormOptions) {
  const { methods, events } = options;

  return async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers();
    // Read by the route, like any door's body.
    app.addContentTypeParser(FORM, (_request, _payload, done) => done(null));
    app.setErrorHandler<FastifyError>((error, request, reply) => {
      const refusal = asRefusal(error);
      const facts = { door: "form", requestId: request.id, path: request.routeOptions.url ?? "" };
      // Nothing before the pipeline fails as INTERNAL and nothing escapes from it, so the failure is in
      // writing a response.
      if (refusal.reason === ErrorReason.INTERNAL) events.answerFailed({ ...facts, error });
      else events.requestRefused({ ...facts, error: refusal });
      closeIfUnread(request.raw, reply);
      return answerError(refusal, request, reply);
    });
    route(app, options, {
      path: "/get_face_params",
      fields: FACE_PARAMS_FIELDS,
      method: methods.getFaceParams,
      read: faceParamsRequest,
      write: faceParamsAnswer,
    });
    route(app, options, {
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
  options: FormOptions,
  { path, fields, method, read, write }: Route<Input, Output>,
): void {
  app.post(path, async (request, reply) => {
    assertForm(request);
    const scope = scopeOf(reply, callerLeft);
    const share = options.intake.open();
    reply.raw.once("close", () => share.release());
    const body = await readBody(request.raw, { share, signal: scope.signal, maxBytes: MAX_BYTES });
    const form = parseForm(body);
    const call = {
      ...incomingCall(request, reply, { path, body, scope }),
      violations: () => inspect(form, fields, request, options),
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

/** Violations of a form that is nevertheless readable. */
function inspect(
  form: ReadonlyMap<string, string>,
  fields: readonly string[],
  request: FastifyRequest,
  { strict, events }: FormOptions,
): readonly FieldViolation[] {
  if (strict === "off") return [];
  const violations = strictViolations(form, fields, request.query as Readonly<Record<string, unknown>>);
  const [first] = violations;
  if (!first || strict === "enforce") return violations;
  events.wouldBeRefused({ door: "form", rule: first.rule, requestId: request.id });
  return [];
}

/** Fastify has checked the content type of a request that has one, but not its charset. */
function assertForm({ headers }: FastifyRequest): void {
  const { "content-type": type, "content-encoding": encoding = "identity" } = headers;
  if (type === undefined) throw notAForm();
  const charset = /charset="?([^;"\s]+)/i.exec(type)?.[1] ?? "utf-8";
  if (!/^utf-?8$/i.test(charset)) throw notAForm();
  if (encoding !== "identity") throw notAForm({ field: "content-encoding", rule: "form.encoding" });
}

function incomingCall(
  request: FastifyRequest,
  reply: FastifyReply,
  { path, body, scope }: { path: string; body: Uint8Array } & Pick<IncomingCall, "scope">,
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
    scope,
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
