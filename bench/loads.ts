import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { GetResultRequestSchema } from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { grpcFrame } from "../test/support/grpc-frame.ts";
import type { Generated, GeneratorOptions } from "./generator.ts";

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

export type HttpKind = "form GetFaceParams" | "form GetResult" | "json GetFaceParams" | "json GetResult";

/** wrk, as fast as the server answers, over keep-alive connections. */
export async function wrk(url: string, kind: HttpKind, orderNo: string, seconds: number): Promise<Loaded> {
  const script = join(import.meta.dirname, "wrk.lua");
  const load = ["-t", "1", "-c", "32", "-d", `${seconds}s`, "-s", script, url, "--", kind, orderNo];
  const { stdout } = await run("wrk", load);
  const told = JSON.parse(stdout.trim().split("\n").at(-1)!) as Loaded & { refused: number; broken: number };
  return { ...told, failed: told.refused + told.broken };
}

/** h2load with one message for all calls, which GetResult allows since results are not shared. */
export async function h2load(url: string, orderNo: string, seconds: number): Promise<Loaded> {
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const file = join(directory, "request.bin");
  const message = toBinary(GetResultRequestSchema, create(GetResultRequestSchema, { orderNo }));
  writeFileSync(file, grpcFrame(message));
  const headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
  const path = `${url}/faceverification.v1.FaceVerificationService/GetResult`;
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
