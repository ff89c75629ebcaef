import { readFileSync, writeFileSync } from "node:fs";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { readImage } from "./image.ts";
import { CONNECT_ERROR, connectResponses, FORM_ERROR, formResponses } from "./openapi/errors.ts";
import { FORM_ROUTES, type FormRoute, formAnswerSchema, formSchema } from "./openapi/form.ts";
import { commentOf, enumSchema, messageSchema, refTo } from "./openapi/schemas.ts";

const SERVICE = "faceverification.v1.FaceVerificationService";
const json = (schema: unknown) => ({ "application/json": { schema } });

/** gen/openapi.json: the public listener's routes as OpenAPI 3.1, from the proto and from the code of the form routes. */
export function printOpenApi(): string {
  const registry = readImage();
  const service = registry.getService(SERVICE);
  if (!service) throw new Error(`no service ${SERVICE}`);
  // Operators' RPCs and those of links are on other listeners.
  const own = [...registry].filter(
    ({ file }) => file.name.startsWith("faceverification/v1/") && !/_admin_|\/link\b/.test(file.name),
  );
  const { version, license } = JSON.parse(readFileSync("package.json", "utf8")) as {
    version: string;
    license: string;
  };
  const document = {
    openapi: "3.1.0",
    info: {
      title: "Face verification",
      version,
      description: commentOf(service),
      license: { name: license, identifier: license },
    },
    servers: [{ url: "/" }],
    security: [{}, { bearer: [] }, { appSignature: [] }],
    paths: Object.fromEntries([
      ...service.methods.map((method) => [`/${SERVICE}/${method.name}`, rpcPath(method)]),
      ...FORM_ROUTES.map((route) => [route.path, formPath(route, service)]),
    ]) as Record<string, unknown>,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "A caller's token, or an end user's JWT." },
        appSignature: { type: "apiKey", in: "header", name: "x-signature", description: "Form routes only." },
      },
      schemas: {
        ...Object.fromEntries([
          ...own.flatMap((desc) => (desc.kind === "message" ? [[desc.name, messageSchema(desc)]] : [])),
          ...own.flatMap((desc) => (desc.kind === "enum" ? [[desc.name, enumSchema(desc)]] : [])),
        ]),
        FormError: FORM_ERROR,
        ConnectError: CONNECT_ERROR,
      },
    },
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function rpcPath(method: DescMethod) {
  if (method.methodKind === "server_streaming") return streamPath(method);
  const answers = {
    "200": { description: "Done.", content: json({ $ref: refTo(method.output) }) },
    ...connectResponses(),
  };
  const summary = commentOf(method);
  const safe = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  return {
    post: {
      operationId: method.name,
      summary,
      requestBody: { required: true, content: json({ $ref: refTo(method.input) }) },
      responses: answers,
    },
    ...(safe && {
      get: {
        operationId: `${method.name}ByGet`,
        summary: `${summary} The same by GET, which has no side effects.`,
        parameters: [
          query("connect", true, { const: "v1" }, "The protocol's version."),
          query("encoding", true, { const: "json" }, "How `message` is written."),
          {
            name: "message",
            in: "query",
            required: true,
            description: "The request.",
            content: json({ $ref: refTo(method.input) }),
          },
        ],
        responses: answers,
      },
    }),
  };
}

/** A stream by the Connect protocol; gRPC and gRPC-Web clients need no such document. */
function streamPath(method: DescMethod) {
  const messages = (schema: unknown) => ({ "application/connect+json": { schema } });
  return {
    post: {
      operationId: method.name,
      summary: commentOf(method),
      description:
        "A stream: request and answers are messages in envelopes of five bytes, and the last envelope says how it ended (https://connectrpc.com/docs/protocol#streaming-rpcs).",
      requestBody: { required: true, content: messages({ $ref: refTo(method.input) }) },
      responses: {
        "200": {
          description: "One such message after another, then an end with the error, if there is one.",
          content: messages({ $ref: refTo(method.output) }),
        },
      },
    },
  };
}

const query = (name: string, required: boolean, schema: object, description: string) => ({
  name,
  in: "query",
  required,
  schema,
  description,
});

function formPath(route: FormRoute, service: DescService) {
  const method = service.methods.find(({ name }) => name === route.rpc);
  if (!method) throw new Error(`no RPC ${route.rpc}`);
  return {
    post: {
      operationId: route.path.slice(1),
      summary: route.summary,
      parameters: [
        {
          name: "accept-language",
          in: "header",
          schema: { type: "string" },
          description: "`zh` (default) or `en`: the language of `msg`.",
        },
      ],
      requestBody: {
        required: true,
        content: { "application/x-www-form-urlencoded": { schema: formSchema(route, method.input) } },
      },
      responses: {
        "200": { description: "Answered.", content: json(formAnswerSchema(route, method.output)) },
        ...formResponses(),
      },
    },
  };
}

if (import.meta.main) writeFileSync("gen/openapi.json", printOpenApi());
