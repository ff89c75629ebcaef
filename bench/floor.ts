import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  GetFaceParamsRequestSchema,
  GetFaceParamsResponseSchema,
  GetResultRequestSchema,
  GetResultResponseSchema,
} from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { faceParams, result } from "./exchange.ts";

// The least program on this runtime that does the same exchange: node:http for forms and JSON, node:http2 for gRPC.

interface Fields {
  name?: string;
  id_no?: string;
  idNo?: string;
  user_id?: string;
  userId?: string;
  order_no?: string;
  orderNo?: string;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const { url = "" } = request;
  const json = url.startsWith("/faceverification");
  const fields = (json ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body))) as Fields;
  const { name = "", idNo = fields.id_no ?? "", userId = fields.user_id ?? "" } = fields;
  const answer = /face_params|FaceParams/.test(url)
    ? await faceParams(name, idNo, userId)
    : await result(fields.orderNo ?? fields.order_no ?? "");
  const text = JSON.stringify(json ? answer : { code: "0", msg: "success", result: answer });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

async function call(path: string, message: Uint8Array): Promise<Uint8Array> {
  if (path.endsWith("/GetResult")) {
    const { orderNo } = fromBinary(GetResultRequestSchema, message);
    return toBinary(GetResultResponseSchema, create(GetResultResponseSchema, await result(orderNo)));
  }
  const { name, idNo, userId } = fromBinary(GetFaceParamsRequestSchema, message);
  const params = await faceParams(name, idNo, userId);
  return toBinary(GetFaceParamsResponseSchema, create(GetFaceParamsResponseSchema, params));
}

async function respond(stream: ServerHttp2Stream, path: string, body: Buffer): Promise<void> {
  const message = await call(path, body.subarray(5));
  // The load has ended, and with it its connection.
  if (stream.destroyed) return;
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.concat([head, message]));
}

createServer((request, response) => void serve(request, response)).listen(
  Number(process.env["PORT"]),
  "127.0.0.1",
);
createHttp2Server()
  .on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => void respond(stream, String(headers[":path"]), Buffer.concat(chunks)));
    stream.on("error", () => undefined);
  })
  .listen(Number(process.env["GRPC_PORT"]), "127.0.0.1");
