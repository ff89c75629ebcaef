import { create, fromBinary, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { Agent, request as send } from "undici";
import {
  FaceVerificationService,
  type GetFaceParamsRequestSchema,
  GetFaceParamsResponseSchema,
  GetResultResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { HTTP_STATUS } from "../../src/doors/form/errors.ts";
import { GRPC_CODES } from "../../src/doors/rpc/errors.ts";
import { ErrorReason } from "../../src/errors.ts";
import { GrpcClient } from "../support/grpc-client.ts";

/** What a call came to, in the same words for every door. */
export type Cell =
  | { ok: Readonly<Record<string, unknown>> }
  | {
      reason: string;
      /** Whether the door's own status is the one its table gives the reason. */
      status: "right" | number;
      fields: string[];
      retryAfterS: number | undefined;
      upstreamCode: string | undefined;
      message: string;
    };

/** One way in. Both take what the proto calls the fields; `language` is the caller's. */
export interface Door {
  getFaceParams(
    request: MessageInitShape<typeof GetFaceParamsRequestSchema>,
    language?: string,
  ): Promise<Cell>;
  getResult(orderNo: string, language?: string): Promise<Cell>;
}

/** Form, JSON, gRPC, gRPC-Web and Connect, as their real clients speak to one TLS listener. */
export function openDoors(
  address: string,
  ca: string,
): { doors: Record<string, Door>; close(): Promise<void> } {
  const base = `https://${address}`;
  const agent = new Agent({ connect: { ca }, allowH2: false });
  const channel = new GrpcClient(address, grpc.credentials.createSsl(Buffer.from(ca)));
  const nodeOptions = { ca };
  const doors = {
    form: formDoor(base, agent),
    json: jsonDoor(base, agent),
    grpc: grpcDoor(channel),
    "grpc-web": connectDoor(createGrpcWebTransport({ baseUrl: base, httpVersion: "1.1", nodeOptions })),
    connect: connectDoor(
      createConnectTransport({ baseUrl: base, httpVersion: "1.1", useBinaryFormat: true, nodeOptions }),
    ),
  };
  return {
    doors,
    async close() {
      channel.close();
      await agent.close();
    },
  };
}

/** Also `livemode: false`, which the form and the JSON door write out. */
const EVERYTHING = { alwaysEmitImplicit: true };

const reasonNamed = (name: string) => ErrorReason[name as keyof typeof ErrorReason];

function formDoor(base: string, dispatcher: Agent): Door {
  async function post(
    path: string,
    fields: Record<string, string | undefined>,
    language = "zh",
  ): Promise<Cell> {
    const given = Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const { statusCode, headers, body } = await send(base + path, {
      method: "POST",
      dispatcher,
      headers: { "content-type": "application/x-www-form-urlencoded", "accept-language": language },
      body: new URLSearchParams(given).toString(),
    });
    // biome-ignore lint/suspicious/noExplicitAny: two shapes of answer
    const json = (await body.json()) as any;
    if (json.result) {
      const { result, code } = json;
      const said = withoutNulls(result);
      return { ok: path === "/get_result" ? { ...said, code } : said };
    }
    const expected = HTTP_STATUS[reasonNamed(json.reason)];
    const wait = headers["retry-after"];
    const upstream = json.code === String(statusCode) ? undefined : json.code;
    return {
      reason: json.reason,
      status: statusCode === expected ? "right" : statusCode,
      fields: (json.fields ?? []).map((f: { field: string; rule: string }) => `${f.field} ${f.rule}`),
      retryAfterS: wait === undefined ? undefined : Number(wait),
      upstreamCode: upstream,
      message: json.msg.split(": ")[0],
    };
  }
  return {
    getFaceParams: ({ name, idNo, userId, requestId }, language) =>
      post("/get_face_params", { name, id_no: idNo, user_id: userId, request_id: requestId }, language),
    getResult: (orderNo, language) => post("/get_result", { order_no: orderNo }, language),
  };
}

function jsonDoor(base: string, dispatcher: Agent): Door {
  async function post(method: string, message: unknown, language = "zh"): Promise<Cell> {
    const { statusCode, body } = await send(`${base}/${FaceVerificationService.typeName}/${method}`, {
      method: "POST",
      dispatcher,
      headers: { "content-type": "application/json", "accept-language": language },
      body: JSON.stringify(message),
    });
    // biome-ignore lint/suspicious/noExplicitAny: two shapes of answer
    const json = (await body.json()) as any;
    if (statusCode === 200) return { ok: plain(json) };
    const detail = (type: string) =>
      json.details?.find((each: { type: string }) => each.type === `google.rpc.${type}`);
    const bytes = (type: string) => Buffer.from(detail(type)?.value ?? "", "base64");
    const code = Code[pascal(json.code) as keyof typeof Code];
    return cell(
      code,
      fromBinary(ErrorInfoSchema, bytes("ErrorInfo")),
      fromBinary(BadRequestSchema, bytes("BadRequest")),
      detail("RetryInfo") && fromBinary(RetryInfoSchema, bytes("RetryInfo")),
      fromBinary(LocalizedMessageSchema, bytes("LocalizedMessage")),
    );
  }
  return {
    getFaceParams: (request, language) => post("GetFaceParams", request, language),
    getResult: (orderNo, language) => post("GetResult", { orderNo }, language),
  };
}

function grpcDoor(client: GrpcClient): Door {
  const { getFaceParams, getResult } = FaceVerificationService.method;
  const failure = (error: unknown): Cell => {
    const { code, metadata } = error as grpc.ServiceError;
    const [bytes] = metadata.get("grpc-status-details-bin");
    const details = bytes ? fromBinary(StatusSchema, bytes as Buffer).details : [];
    const find = <T>(unpack: (any: (typeof details)[number]) => T | undefined) =>
      details.map(unpack).find((each) => each !== undefined);
    return cell(
      code as number as Code,
      find((any) => anyUnpack(any, ErrorInfoSchema)) ?? create(ErrorInfoSchema),
      find((any) => anyUnpack(any, BadRequestSchema)) ?? create(BadRequestSchema),
      find((any) => anyUnpack(any, RetryInfoSchema)),
      find((any) => anyUnpack(any, LocalizedMessageSchema)) ?? create(LocalizedMessageSchema),
    );
  };
  const metadata = (language = "zh") => ({ metadata: { "accept-language": language } });
  return {
    getFaceParams: (request, language) =>
      client
        .unary(getFaceParams, request, metadata(language))
        .then((answer) => ({ ok: plain(toJson(GetFaceParamsResponseSchema, answer, EVERYTHING)) }), failure),
    getResult: (orderNo, language) =>
      client
        .unary(getResult, { orderNo }, metadata(language))
        .then((answer) => ({ ok: plain(toJson(GetResultResponseSchema, answer, EVERYTHING)) }), failure),
  };
}

function connectDoor(transport: Transport): Door {
  const client = createClient(FaceVerificationService, transport);
  const failure = (thrown: unknown): Cell => {
    const error = ConnectError.from(thrown);
    return cell(
      error.code,
      error.findDetails(ErrorInfoSchema)[0] ?? create(ErrorInfoSchema),
      error.findDetails(BadRequestSchema)[0] ?? create(BadRequestSchema),
      error.findDetails(RetryInfoSchema)[0],
      error.findDetails(LocalizedMessageSchema)[0] ?? create(LocalizedMessageSchema),
    );
  };
  const headers = (language = "zh") => ({ headers: { "accept-language": language } });
  return {
    getFaceParams: (request, language) =>
      client
        .getFaceParams(request, headers(language))
        .then((answer) => ({ ok: plain(toJson(GetFaceParamsResponseSchema, answer, EVERYTHING)) }), failure),
    getResult: (orderNo, language) =>
      client
        .getResult({ orderNo }, headers(language))
        .then((answer) => ({ ok: plain(toJson(GetResultResponseSchema, answer, EVERYTHING)) }), failure),
  };
}

function cell(
  code: Code,
  info: { reason: string; metadata: Record<string, string> },
  bad: { fieldViolations: { field: string; reason: string }[] },
  retry: { retryDelay?: { seconds: bigint; nanos: number } | undefined } | undefined,
  { message }: { message: string },
): Cell {
  const { seconds = 0n, nanos = 0 } = retry?.retryDelay ?? {};
  return {
    reason: info.reason,
    status: code === GRPC_CODES[reasonNamed(info.reason)] ? "right" : code,
    fields: bad.fieldViolations.map(({ field, reason }) => `${field} ${reason}`),
    retryAfterS: retry ? Math.ceil(Number(seconds) + nanos / 1e9) : undefined,
    upstreamCode: info.metadata["upstream_code"],
    message,
  };
}

/** The proto's JSON in the form routes' words, and without what only one of them has. */
function plain(message: unknown): Record<string, unknown> {
  const { nextStep: _1, billed: _2, bizSeqNo: _3, media: _4, ...rest } = message as Record<string, unknown>;
  const entries = Object.entries(rest).map(([name, value]) => [
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    typeof value === "string"
      ? value.replace(/^VERDICT_(REASON_)?/, "")
      : typeof value === "object"
        ? plain(value)
        : value,
  ]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function withoutNulls(object: object): Record<string, unknown> {
  const said = Object.entries(object).filter(([, value]) => value !== null);
  return Object.fromEntries(
    said.map(([name, value]) => [name, typeof value === "object" ? withoutNulls(value) : value]),
  );
}

const pascal = (snake: string) =>
  snake.replaceAll(/(^|_)([a-z])/g, (_all, _start, letter: string) => letter.toUpperCase());
