import fastify from "fastify";
import { faceParams, result } from "../exchange.ts";

// The whole exchange behind a plain Fastify JSON route.

const SERVICE = "/faceverification.v1.FaceVerificationService";
const app = fastify();
app.post<{ Body: { name: string; idNo: string; userId: string } }>(`${SERVICE}/GetFaceParams`, ({ body }) =>
  faceParams(body.name, body.idNo, body.userId),
);
app.post<{ Body: { orderNo: string } }>(`${SERVICE}/GetResult`, ({ body }) => result(body.orderNo));
await app.listen({ host: "127.0.0.1", port: Number(process.env["PORT"]) });
