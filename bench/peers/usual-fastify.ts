import bearerAuth from "@fastify/bearer-auth";
import formbody from "@fastify/formbody";
import fastify, { LogController } from "fastify";
import { collectDefaultMetrics, Histogram, register } from "prom-client";
import { faceParams, result } from "../exchange.ts";

// The exchange as a team builds it on Fastify from what is at hand: an access line for each call, schemas that Ajv checks
// and answers are written by, a histogram for each route, and a bearer token. Form and JSON, as the service has them.

const SERVICE = "/faceverification.v1.FaceVerificationService";
/** From a fast answer of the vendor to the longest call, seconds; as many buckets as the service has. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

const text = { type: "string" };
const number = { type: "number" };
const name = { type: "string", minLength: 2, maxLength: 64 };
const id = { type: "string", pattern: "^[0-9A-Za-z]{5,32}$" };
const user = { type: "string", pattern: "^[0-9A-Za-z]{0,30}$" };
const order = { type: "string", pattern: "^[0-9A-Za-z]{1,32}$" };
const launched = {
  type: "object",
  properties: {
    orderNo: text,
    faceId: text,
    appId: text,
    version: text,
    nonce: text,
    userId: text,
    sign: text,
  },
};
const found = {
  type: "object",
  properties: { orderNo: text, code: text, liveRate: number, similarity: number },
};
/** The schemas of a route: what it must be sent, and its answer, on the form routes in the vendor's envelope. */
const schema = (body: Record<string, object>, required: string[], answer: object) => ({
  body: { type: "object", properties: body, required, additionalProperties: false },
  response: { 200: answer },
});
const enveloped = (answer: object) => ({
  type: "object",
  properties: { code: text, msg: text, result: answer },
});
const success = <T>(value: T) => ({ code: "0", msg: "success", result: value });

collectDefaultMetrics();
const seconds = new Histogram({
  name: "http_request_duration_seconds",
  help: "Time to answer.",
  labelNames: ["method", "route", "status_code"],
  buckets: BUCKETS,
});

const app = fastify({ logger: true, logController: new LogController({ disableRequestLogging: true }) });
app.addHook("onResponse", async (request, reply) => {
  const { method, ip, routeOptions } = request;
  const route = routeOptions.url ?? "unknown";
  const { statusCode, elapsedTime } = reply;
  seconds.observe({ method, route, status_code: statusCode }, elapsedTime / 1000);
  request.log.info({ method, route, statusCode, ip, responseTime: elapsedTime }, "request completed");
});
app.get("/metrics", async (_, reply) => reply.type(register.contentType).send(await register.metrics()));

await app.register(async (api) => {
  await api.register(bearerAuth, { keys: new Set([process.env["TOKEN"] ?? ""]) });
  await api.register(formbody);
  api.post<{ Body: { name: string; id_no: string; user_id?: string } }>(
    "/get_face_params",
    { schema: schema({ name, id_no: id, user_id: user }, ["name", "id_no"], enveloped(launched)) },
    async ({ body }) => success(await faceParams(body.name, body.id_no, body.user_id ?? "")),
  );
  api.post<{ Body: { order_no: string } }>(
    "/get_result",
    { schema: schema({ order_no: order }, ["order_no"], enveloped(found)) },
    async ({ body }) => success(await result(body.order_no)),
  );
  api.post<{ Body: { name: string; idNo: string; userId?: string } }>(
    `${SERVICE}/GetFaceParams`,
    { schema: schema({ name, idNo: id, userId: user }, ["name", "idNo"], launched) },
    ({ body }) => faceParams(body.name, body.idNo, body.userId ?? ""),
  );
  api.post<{ Body: { orderNo: string } }>(
    `${SERVICE}/GetResult`,
    { schema: schema({ orderNo: order }, ["orderNo"], found) },
    ({ body }) => result(body.orderNo),
  );
});
await app.listen({ host: "127.0.0.1", port: Number(process.env["PORT"]) });
