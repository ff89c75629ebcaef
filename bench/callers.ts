import { type ClientHttp2Session, connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { Agent } from "undici";
import {
  FaceVerificationService,
  GetFaceParamsRequestSchema,
  GetResultRequestSchema,
  GetResultResponseSchema,
} from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { GrpcClient } from "../test/support/grpc-client.ts";
import { grpcFrame } from "../test/support/grpc-frame.ts";
import type { Door } from "./doors.ts";
import { uploadBody, uploadPath } from "./exchange.ts";

export interface CallerOptions {
  /** Who calls: a door with the least client there is, a real client library, or nobody but the vendor's stand-in. */
  client: Door | "grpc media" | "grpc-js" | "connect" | "upstream";
  url: string;
  connections?: number;
  /** The order that is asked for by GetResult. */
  orderNo?: string;
  /** The bearer token of calls at a door. */
  token?: string | undefined;
}

export type Outcome = "ok" | "refused" | "failed";

interface HttpRequest {
  path: string;
  body: string;
  type: string;
}

const IDENTITY = { name: "张三", idNo: "11010519491231002X" };
const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = "application/json";
const SERVICE = `/${FaceVerificationService.typeName}`;
let users = 0;
const user = () => `g${process.pid}x${++users}`;

/** A function that makes one call and says what came of it; its connections stay open. */
export function caller(options: CallerOptions): () => Promise<Outcome> {
  const { client, url, orderNo = "bench0rder" } = options;
  switch (client) {
    case "form GetFaceParams":
      return byHttp(options, () => {
        const fields = { name: IDENTITY.name, id_no: IDENTITY.idNo, user_id: user() };
        return { path: "/get_face_params", body: new URLSearchParams(fields).toString(), type: FORM };
      });
    case "form GetResult":
      return byHttp(options, () => ({ path: "/get_result", body: `order_no=${orderNo}`, type: FORM }));
    case "json GetFaceParams":
      return byHttp(options, () => {
        const body = JSON.stringify({ ...IDENTITY, userId: user() });
        return { path: `${SERVICE}/GetFaceParams`, body, type: JSON_TYPE };
      });
    case "json GetResult": {
      const body = JSON.stringify({ orderNo });
      return byHttp(options, () => ({ path: `${SERVICE}/GetResult`, body, type: JSON_TYPE }));
    }
    case "upstream":
      return byHttp(options, () => ({
        path: uploadPath(orderNo),
        body: uploadBody(orderNo, IDENTITY.name, IDENTITY.idNo, user()),
        type: JSON_TYPE,
      }));
    case "grpc GetFaceParams":
      return byHttp2(options, "GetFaceParams", () => {
        const request = create(GetFaceParamsRequestSchema, { ...IDENTITY, userId: user() });
        return toBinary(GetFaceParamsRequestSchema, request);
      });
    case "grpc GetResult":
    case "grpc media": {
      const includeMedia = client === "grpc media";
      const request = create(GetResultRequestSchema, { orderNo, includeMedia });
      return byHttp2(options, "GetResult", () => toBinary(GetResultRequestSchema, request), includeMedia);
    }
    case "grpc-js": {
      const library = new GrpcClient(new URL(url).host, grpc.credentials.createInsecure());
      const { getFaceParams } = FaceVerificationService.method;
      return async () => {
        await library.unary(getFaceParams, { ...IDENTITY, userId: user() });
        return "ok";
      };
    }
    case "connect": {
      const library = createClient(FaceVerificationService, createGrpcTransport({ baseUrl: url }));
      return async () => {
        await library.getFaceParams({ ...IDENTITY, userId: user() });
        return "ok";
      };
    }
  }
}

const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

function byHttp({ url, connections = 4, token }: CallerOptions, request: () => HttpRequest) {
  const agent = new Agent({ connections, pipelining: 1, allowH2: false });
  return async (): Promise<Outcome> => {
    const { path, body, type } = request();
    const headers = { "content-type": type, ...bearer(token) };
    const { statusCode, body: answer } = await agent.request({
      origin: url,
      path,
      method: "POST",
      headers,
      body,
    });
    await answer.dump({ limit: 1e9 });
    return statusCode === 200 ? "ok" : statusCode === 503 || statusCode === 429 ? "refused" : "failed";
  };
}

/** With `full`, an answer without its files counts as refused. */
function byHttp2(options: CallerOptions, method: string, message: () => Uint8Array, full = false) {
  const { url, connections = 4, token } = options;
  const sessions: ClientHttp2Session[] = Array.from({ length: connections }, () => connect(url));
  for (const session of sessions) session.on("error", () => undefined);
  let turn = 0;
  const path = `${SERVICE}/${method}`;
  const fixed = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const headers = { ...fixed, ...bearer(token) };
  return () =>
    new Promise<Outcome>((resolve, reject) => {
      const stream = sessions[turn++ % connections]!.request(headers);
      let status: unknown;
      let size = 0;
      const chunks: Buffer[] = [];
      const look = (received: Record<string, unknown>) => {
        status = received["grpc-status"] ?? status;
      };
      stream.on("response", look).on("trailers", look).on("error", reject);
      stream.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (full) chunks.push(chunk);
      });
      stream.on("end", () => {
        if (full) {
          const answer = fromBinary(GetResultResponseSchema, Buffer.concat(chunks).subarray(5));
          if (answer.media === undefined) return resolve("refused");
        }
        resolve(status === "0" && size > 0 ? "ok" : status === "8" || status === "14" ? "refused" : "failed");
      });
      stream.end(grpcFrame(message()));
    });
}
