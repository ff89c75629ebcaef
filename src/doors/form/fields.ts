import { create, toJson } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  type GetFaceParamsRequest,
  GetFaceParamsRequestSchema,
  type GetFaceParamsResponse,
  type GetResultRequest,
  GetResultRequestSchema,
  type GetResultResponse,
  type RiskInfo,
} from "../../../gen/faceverification/v1/face_verification_service_pb.ts";
import { Verdict, VerdictReason } from "../../../gen/faceverification/v1/verdict_pb.ts";
import { codeEntry } from "../../domain/codes.ts";
import type { Language } from "../../domain/messages.ts";
import { enumName } from "../../domain/verdict.ts";

type Form = ReadonlyMap<string, string>;
type Plain = string | number | boolean | null;

/** The body of a successful response; `code` is the vendor's, and on `/get_result` "0" only for PASSED. */
export interface FormAnswer {
  code: string;
  msg: string;
  result: Readonly<Record<string, Plain | Readonly<Record<string, Plain>>>>;
}

/** The form fields of each route. */
export const FACE_PARAMS_FIELDS = ["name", "id_no", "user_id", "request_id", "reference"] as const;
export const RESULT_FIELDS = ["order_no"] as const;

/** The form fields of `/get_face_params` as a request; a missing field counts as empty. */
export function faceParamsRequest(form: Form): GetFaceParamsRequest {
  return create(GetFaceParamsRequestSchema, {
    name: form.get("name") ?? "",
    idNo: form.get("id_no") ?? "",
    userId: form.get("user_id") ?? "",
    requestId: form.get("request_id") ?? "",
    reference: form.get("reference") ?? "",
  });
}

/** The form fields of `/get_result` as a request. */
export function resultRequest(form: Form): GetResultRequest {
  return create(GetResultRequestSchema, { orderNo: form.get("order_no") ?? "" });
}

/** The response of `/get_face_params`; times in RFC 3339. */
export function faceParamsAnswer(response: GetFaceParamsResponse, language: Language): FormAnswer {
  return {
    code: "0",
    msg: language === "zh" ? "请求成功" : "success",
    result: {
      order_no: response.orderNo,
      face_id: response.faceId,
      app_id: response.appId,
      version: response.version,
      nonce: response.nonce,
      user_id: response.userId,
      sign: response.sign,
      licence: response.licence,
      start_before: time(response.startBefore),
      server_time: time(response.serverTime),
      livemode: response.livemode,
    },
  };
}

/** The response of `/get_result`; null for values the vendor did not send. */
export function resultAnswer(response: GetResultResponse, language: Language): FormAnswer {
  return {
    code: response.code,
    msg: codeEntry(response.code).text[language],
    result: {
      order_no: response.orderNo,
      verdict: enumName(Verdict, response.verdict),
      reason: enumName(VerdictReason, response.reason),
      live_rate: response.liveRate ?? null,
      similarity: response.similarity ?? null,
      occurred_at: time(response.occurredAt),
      livemode: response.livemode,
      risk_info: response.riskInfo ? risks(response.riskInfo) : null,
      ori_code: response.oriCode ?? null,
      sdk_version: response.sdkVersion ?? null,
    },
  };
}

const risks = (info: RiskInfo) => ({
  device_info_level: info.deviceInfoLevel ?? null,
  device_info_tag: info.deviceInfoTag ?? null,
  risk_info_level: info.riskInfoLevel ?? null,
  risk_info_tag: info.riskInfoTag ?? null,
});

/** In the same format as the RPC door's JSON. */
const time = (timestamp: Timestamp | undefined) => (timestamp ? toJson(TimestampSchema, timestamp) : null);
