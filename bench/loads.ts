import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { GetResultRequestSchema } from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { grpcFrame } from "../test/support/grpc-frame.ts";
import type { Door } from "./doors.ts";
import type { Generated, GeneratorOptions } from "./generator.ts";
import type { Program } from "./programs.ts";

const run = promisify(execFile);

/** What a load came to; times in milliseconds. */
export interface Loaded {
  requests: number;
  seconds: number;
  /** Answers other than success. */
  failed: number;
  p50: number;
  p99: number;
}

/** A door of a program, and what to call it with: an order, and a bearer token if it wants one. */
export interface Target {
  door: Door;
  program: Program;
  orderNo: string;
  token?: string | undefined;
}

/** So many calls under way at all times. */
const CONCURRENCY = 32;
/** What a client's pool keeps open: by HTTP/1.1 one for each call under way, by HTTP/2 one for each process that calls. */
const CONNECTIONS = { http1: 8, http2: 2 };

/** As fast as the program answers, for whole seconds, which is what the tools know. */
export async function saturate(target: Target, atLeast: number): Promise<Loaded> {
  const { door } = target;
  const seconds = Math.ceil(atLeast);
  if (door === "grpc GetResult") return h2load(target, seconds);
  if (door !== "grpc GetFaceParams") return wrk(target, seconds);
  return loaded(await generate({ ...callerOf(target), seconds, concurrency: CONCURRENCY }), seconds);
}

/** At a rate, calls a second, or without one as fast as the program answers. */
export const load = (target: Target, rate: number | undefined, seconds: number): Promise<Loaded> =>
  rate === undefined ? saturate(target, seconds) : pace(target, rate, seconds);

/** As from callers who do not know of each other, so many calls a second. */
async function pace(target: Target, rate: number, seconds: number): Promise<Loaded> {
  const connections = target.door.startsWith("grpc") ? CONNECTIONS.http2 : CONNECTIONS.http1;
  return loaded(await generate({ ...callerOf(target), connections, rate, apart: true, seconds }), seconds);
}

/** So many calls, for V8 to compile what is hot. */
export async function warm(target: Target, calls: number): Promise<void> {
  const made = await generate({ ...callerOf(target), seconds: 300, concurrency: CONCURRENCY, calls });
  if (made.ok < calls) throw new Error(`${target.door}: ${made.ok} of ${calls} calls to warm up answered`);
}

const callerOf = ({ door, program, orderNo, token }: Target) => ({
  client: door,
  url: door.startsWith("grpc") ? program.grpc : program.http,
  orderNo,
  token,
});

const loaded = ({ ok, failed, refused, p50, p99 }: Generated, seconds: number): Loaded => ({
  requests: ok,
  seconds,
  failed: failed + refused,
  p50,
  p99,
});

/** wrk, over keep-alive connections. */
async function wrk({ door, program, orderNo, token = "" }: Target, seconds: number): Promise<Loaded> {
  const script = join(import.meta.dirname, "wrk.lua");
  const load = ["-t", "1", "-c", String(CONCURRENCY), "-d", `${seconds}s`, "-s", script, program.http];
  const { stdout } = await run("wrk", [...load, "--", door, orderNo, token]);
  const told = JSON.parse(stdout.trim().split("\n").at(-1)!) as Loaded & { refused: number; broken: number };
  return { ...told, failed: told.refused + told.broken };
}

/** h2load with one message for all calls, which GetResult allows since results are not shared. */
async function h2load({ program, orderNo, token }: Target, seconds: number): Promise<Loaded> {
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const file = join(directory, "request.bin");
  const message = toBinary(GetResultRequestSchema, create(GetResultRequestSchema, { orderNo }));
  writeFileSync(file, grpcFrame(message));
  const bearer = token === undefined ? [] : ["-H", `authorization: Bearer ${token}`];
  const headers = ["-H", "content-type: application/grpc", "-H", "te: trailers", ...bearer];
  const path = `${program.grpc}/faceverification.v1.FaceVerificationService/GetResult`;
  const load = ["-c", "4", "-m", "8", "-D", String(seconds), "-d", file, ...headers, path];
  const { stdout } = await run("h2load", load).finally(() => rmSync(directory, { recursive: true }));
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1]);
  const failed = number(/(\d+) failed/) + number(/(\d+) 5xx/) + number(/(\d+) 4xx/);
  return { requests: number(/status codes: (\d+) 2xx/), seconds, failed, p50: Number.NaN, p99: Number.NaN };
}

/** Our own generator in a process of its own: many users by gRPC, fixed rates, and clients other than wrk. */
export async function generate(options: GeneratorOptions): Promise<Generated> {
  const child = fork(join(import.meta.dirname, "generator.ts"), [JSON.stringify(options)], {
    // JSON has no NaN.
    serialization: "advanced",
  });
  const [result] = (await once(child, "message")) as [Generated];
  child.disconnect();
  return result;
}
