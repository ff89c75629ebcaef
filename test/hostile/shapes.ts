import { gzipSync } from "node:zlib";
import { grpcFrame } from "../support/grpc-frame.ts";

/** A body that no honest client sends, and what it calls itself. */
export interface Shape {
  name: string;
  headers: Record<string, string>;
  body: Buffer;
}

export const MIB = 1024 * 1024;
export const GET_RESULT = "/faceverification.v1.FaceVerificationService/GetResult";
export const GET_FACE_PARAMS = "/faceverification.v1.FaceVerificationService/GetFaceParams";

/** The usual door of gRPC, and the same by Connect: an encoding that is named, and used by none of the messages. */
export const FAST = { "content-type": "application/grpc" };
export const PLAIN = { "content-type": "application/grpc", "grpc-encoding": "gzip" };
export const WEB = { "content-type": "application/grpc-web+proto" };

const repeated = (unit: Buffer | string, bytes: number) => Buffer.alloc(bytes, unit);
const room = MIB - 5;

/** Each is as large as a request may be. */
export const BODIES = {
  "empty messages": repeated("\0", MIB),
  "empty trailers": repeated(Buffer.of(0x80, 0, 0, 0, 0), MIB),
  "messages of one byte": repeated(Buffer.of(0, 0, 0, 0, 1, 0), MIB),
  "unknown fields": grpcFrame(repeated(Buffer.of(0x98, 0x06, 0x00), room - (room % 3))),
  "one field again and again": grpcFrame(repeated(Buffer.of(0x0a, 0x01, 0x61), room - (room % 3))),
  "unknown groups": grpcFrame(repeated(Buffer.of(0x9b, 0x06, 0x9c, 0x06), room - (room % 4))),
  "a length that is never reached": Buffer.concat([Buffer.of(0, 0, 15, 255, 255), repeated("\0", MIB / 2)]),
  "a bomb": grpcFrame(gzipSync(Buffer.alloc(512 * MIB)).subarray(0, room), 1),
} as const;

export const JSONS = {
  "arrays in arrays": repeated("[", MIB),
  "many arrays": Buffer.from(`{"x":[${"[],".repeat(MIB / 3 - 10)}[]]}`),
  "many members": Buffer.from(`{${Array.from({ length: 70_000 }, (_, i) => `"m${i}":{}`).join(",")}}`),
  "one member again and again": Buffer.from(`{${'"orderNo":"",'.repeat(MIB / 13 - 10)}"orderNo":""}`),
  zeros: repeated("0", MIB),
} as const;
