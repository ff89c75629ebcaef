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
import { uploadBody, uploadPath } from "./exchange.ts";
import { quantile } from "./numbers.ts";

export interface GeneratorOptions {
  /** Who calls: a door with the least client there is, a real client library, or nobody but the vendor's stand-in. */
  client: "form" | "json" | "grpc" | "grpc media" | "grpc-js" | "connect" | "upstream";
  url: string;
  seconds: number;
  /** So many calls under way at all times, or so many begun in a second whatever becomes of them. */
  concurrency?: number;
  rate?: number;
  connections?: number;
}

/** Times in milliseconds. */
export interface Generated {
  ok: number;
  refused: number;
  failed: number;
  /** Begun, in a second. */
  offered: number;
  /** Of the answers within the time measured, in a second. */
  goodput: number;
  p50: number;
  p99: number;
  refusedP50: number;
  refusedP99: number;
  /** Of the generator, for each call. */
  cpuMsPerCall: number;
}

type Outcome = "ok" | "refused" | "failed";

const IDENTITY = { name: "张三", idNo: "11010519491231002X" };
const ORDER = "bench0rder";
const SERVICE = `/${FaceVerificationService.typeName}`;
let users = 0;
const user = () => `g${process.pid}x${++users}`;

function byHttp(
  url: string,
  connections: number,
  request: () => { path: string; body: string; type: string },
) {
  const agent = new Agent({ connections, pipelining: 1, allowH2: false });
  return async (): Promise<Outcome> => {
    const { path, body, type } = request();
    const headers = { "content-type": type };
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

function byHttp2(url: string, connections: number, method: string, message: () => Uint8Array, full = false) {
  const sessions: ClientHttp2Session[] = Array.from({ length: connections }, () => connect(url));
  for (const session of sessions) session.on("error", () => undefined);
  let turn = 0;
  const path = `${SERVICE}/${method}`;
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
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

const faceParams = () =>
  toBinary(GetFaceParamsRequestSchema, create(GetFaceParamsRequestSchema, { ...IDENTITY, userId: user() }));
const media = () =>
  toBinary(GetResultRequestSchema, create(GetResultRequestSchema, { orderNo: ORDER, includeMedia: true }));

function caller({ client, url, connections = 4 }: GeneratorOptions): () => Promise<Outcome> {
  const form = "application/x-www-form-urlencoded";
  switch (client) {
    case "form":
      return byHttp(url, connections, () => {
        const body = new URLSearchParams({
          name: IDENTITY.name,
          id_no: IDENTITY.idNo,
          user_id: user(),
        }).toString();
        return { path: "/get_face_params", body, type: form };
      });
    case "json":
      return byHttp(url, connections, () => {
        const body = JSON.stringify({ ...IDENTITY, userId: user() });
        return { path: `${SERVICE}/GetFaceParams`, body, type: "application/json" };
      });
    case "upstream":
      return byHttp(url, connections, () => ({
        path: uploadPath(ORDER),
        body: uploadBody(ORDER, IDENTITY.name, IDENTITY.idNo, user()),
        type: "application/json",
      }));
    case "grpc":
      return byHttp2(url, connections, "GetFaceParams", faceParams);
    case "grpc media":
      return byHttp2(url, connections, "GetResult", media, true);
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

/** Makes the calls and says what came of them. */
async function generate(options: GeneratorOptions): Promise<Generated> {
  const { seconds, concurrency = 0, rate } = options;
  const once = caller(options);
  const times: Record<Outcome, number[]> = { ok: [], refused: [], failed: [] };
  const began = performance.now();
  const end = began + seconds * 1000;
  const cpu = process.cpuUsage();
  let started = 0;
  let inTime = 0;

  async function measured(): Promise<void> {
    started++;
    const from = performance.now();
    const outcome = await once().catch((): Outcome => "failed");
    const now = performance.now();
    times[outcome].push(now - from);
    if (outcome === "ok" && now <= end) inTime++;
  }

  if (rate === undefined) {
    const work = async () => {
      while (performance.now() < end) await measured();
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  } else {
    const underWay: Promise<void>[] = [];
    for (let now = began; now < end; now = performance.now()) {
      while (started < ((now - began) / 1000) * rate) underWay.push(measured());
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(underWay);
  }
  const { user: userUs, system } = process.cpuUsage(cpu);
  return {
    ok: times.ok.length,
    refused: times.refused.length,
    failed: times.failed.length,
    offered: started / seconds,
    goodput: inTime / seconds,
    p50: quantile(times.ok, 0.5),
    p99: quantile(times.ok, 0.99),
    refusedP50: quantile(times.refused, 0.5),
    refusedP99: quantile(times.refused, 0.99),
    cpuMsPerCall: (userUs + system) / 1000 / started,
  };
}

const generated = await generate(JSON.parse(process.argv[2]!) as GeneratorOptions);
process.send!(generated, () => process.exit(0));
