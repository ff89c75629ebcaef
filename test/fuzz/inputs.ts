import { create, toBinary } from "@bufbuild/protobuf";
import {
  GetFaceParamsRequestSchema,
  GetResultRequestSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { mutate, type Random } from "./mutate.ts";

const SERVICE = "/faceverification.v1.FaceVerificationService";
const person = { name: "张三", idNo: "11010519491231002X", userId: "u1", requestId: "r1" };
const FORMS = [
  Buffer.from("name=%E5%BC%A0%E4%B8%89&id_no=11010519491231002X&user_id=u1&request_id=r1"),
  Buffer.from("order_no=0123456789ABCDEF0123456789abcdef"),
];
const JSONS = [
  Buffer.from(JSON.stringify(person)),
  Buffer.from(JSON.stringify({ orderNo: "0123456789ABCDEF0123456789abcdef", includeMedia: true })),
  Buffer.from(JSON.stringify({ ...person, photo: "AAAA", photoType: "PHOTO_TYPE_CLEAR" })),
];
const MESSAGES = [
  Buffer.from(toBinary(GetFaceParamsRequestSchema, create(GetFaceParamsRequestSchema, person))),
  Buffer.from(toBinary(GetResultRequestSchema, create(GetResultRequestSchema, { orderNo: "o1" }))),
];
const FORM = "application/x-www-form-urlencoded";
const TYPES = [
  FORM,
  "application/json",
  "application/proto",
  "text/plain",
  `${FORM}; charset=gbk`,
  "x/y",
  "",
];

/** A body and where it goes. */
export interface Input {
  path: string;
  type: string;
  body: Buffer;
}

const typed = (random: Random, usual: string) => (random.below(20) === 0 ? random.pick(TYPES) : usual);

/** Forms for the two form routes. */
export const formInput = (random: Random): Input => ({
  path: random.pick(["/get_face_params", "/get_result"]),
  type: typed(random, FORM),
  body: mutate(random, random.pick(FORMS)),
});

/** JSON for the two RPCs. */
export const jsonInput = (random: Random): Input => ({
  path: `${SERVICE}/${random.pick(["GetFaceParams", "GetResult"])}`,
  type: typed(random, "application/json"),
  body: mutate(random, random.pick(JSONS)),
});

/** Protobuf for the two RPCs, as Connect sends it. */
export const protoInput = (random: Random): Input => ({
  path: `${SERVICE}/${random.pick(["GetFaceParams", "GetResult"])}`,
  type: typed(random, "application/proto"),
  body: mutate(random, random.pick(MESSAGES)),
});

/** A gRPC or gRPC-Web body: the message in its envelope, either of which may be broken. */
export function envelopeInput(random: Random): Input {
  const message = random.below(2) === 0 ? random.pick(MESSAGES) : mutate(random, random.pick(MESSAGES));
  const head = Buffer.alloc(5);
  head.writeUInt8(random.below(10) === 0 ? random.below(256) : 0, 0);
  head.writeUInt32BE(random.below(10) === 0 ? random.below(2 ** 32) : message.length, 1);
  const whole = Buffer.concat([head, message]);
  return {
    path: `${SERVICE}/${random.pick(["GetFaceParams", "GetResult", "NoSuchMethod"])}`,
    type: random.pick(["application/grpc-web+proto", "application/grpc-web", "application/grpc-web+json"]),
    body: random.below(2) === 0 ? whole : mutate(random, whole),
  };
}

/** The bytes of a whole HTTP/1.1 request, mutated anywhere. */
export function http1Input(random: Random): Buffer {
  const { path, type, body } = random.pick([formInput, jsonInput])(random);
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\naccept-language: zh\r\n\r\n`;
  return mutate(random, Buffer.concat([Buffer.from(head), body]));
}

/** The bytes of an HTTP/2 connection that goes wrong: a preface, and frames whose headers, payloads or order are broken. */
export function http2Input(random: Random): Buffer {
  const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  const frames = Array.from({ length: 1 + random.below(6) }, (_, i) => frame(random, i === 0));
  const whole = Buffer.concat([random.below(50) === 0 ? mutate(random, preface) : preface, ...frames]);
  return random.below(3) === 0 ? mutate(random, whole) : whole;
}

function frame(random: Random, first: boolean): Buffer {
  const payload = random.bytes(random.below(random.below(8) === 0 ? 2_000 : 60));
  const type = first && random.below(4) > 0 ? 4 : random.below(12);
  const settings = type === 4 ? payload.subarray(0, payload.length - (payload.length % 6)) : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(random.below(20) === 0 ? random.below(2 ** 24) : settings.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(random.below(256), 4);
  head.writeUInt32BE(type === 4 ? 0 : random.pick([0, 1, 2, 3, 2 ** 31 - 1]), 5);
  return Buffer.concat([head, settings]);
}
