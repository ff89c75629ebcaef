import { ErrorReason } from "../errors.ts";

/** One text in the two languages of the callers. */
export type Text = Readonly<Record<Language, string>>;

export type Language = "zh" | "en";

/** What a caller is told of a failed call, in the two languages of its users. Vague on purpose: the detail is in the log. */
export const TEXTS = {
  [ErrorReason.UNSPECIFIED]: { zh: "未知错误", en: "unknown error" },
  [ErrorReason.INVALID_REQUEST]: { zh: "请求参数不合法", en: "the request is not valid" },
  [ErrorReason.MALFORMED_REQUEST]: { zh: "请求内容无法解析", en: "the request cannot be read" },
  [ErrorReason.UNSUPPORTED_MEDIA_TYPE]: {
    zh: "不支持的 Content-Type",
    en: "the content type is not supported",
  },
  [ErrorReason.PAYLOAD_TOO_LARGE]: { zh: "请求内容过大", en: "the request is too large" },
  [ErrorReason.ROUTE_NOT_FOUND]: { zh: "接口不存在", en: "there is no such route" },
  [ErrorReason.ORDER_NOT_FOUND]: { zh: "订单不存在", en: "there is no such order" },
  [ErrorReason.UNAUTHENTICATED]: { zh: "身份凭证缺失或无效", en: "the credential is missing or not valid" },
  [ErrorReason.PERMISSION_DENIED]: { zh: "没有权限", en: "the caller may not do this" },
  [ErrorReason.IDENTITY_REJECTED]: {
    zh: "姓名或身份证号未被认可，请核对",
    en: "name or ID number was not accepted",
  },
  [ErrorReason.PHOTO_REJECTED]: { zh: "照片无法使用", en: "the photo cannot be used" },
  [ErrorReason.DAILY_LIMIT]: { zh: "今日核身次数已用完", en: "the attempts for today are used up" },
  [ErrorReason.RATE_LIMITED]: { zh: "操作过于频繁，请稍后再试", en: "too many requests" },
  [ErrorReason.REQUEST_ID_REUSED]: {
    zh: "request_id 已用于不同的请求",
    en: "the request_id was used for another request",
  },
  [ErrorReason.AUTHENTICATION_UNAVAILABLE]: {
    zh: "暂时无法验证身份凭证，请稍后再试",
    en: "credentials cannot be checked at the moment",
  },
  [ErrorReason.OVERLOADED]: { zh: "服务繁忙，请稍后再试", en: "the service is busy" },
  [ErrorReason.TICKET_UNAVAILABLE]: { zh: "服务正在准备，请稍后再试", en: "the service is not ready yet" },
  [ErrorReason.UPSTREAM_UNAVAILABLE]: {
    zh: "核身服务繁忙，请稍后再试",
    en: "the vendor cannot be reached or is busy",
  },
  [ErrorReason.UPSTREAM_TIMEOUT]: { zh: "核身服务响应超时", en: "the vendor did not answer in time" },
  [ErrorReason.UPSTREAM_REFUSED]: { zh: "核身服务拒绝了请求", en: "the vendor refused the credentials" },
  [ErrorReason.UPSTREAM_MISCONFIGURED]: {
    zh: "核身服务配置有误",
    en: "the vendor refused the configuration",
  },
  [ErrorReason.UPSTREAM_UNEXPECTED]: {
    zh: "核身服务返回了未知结果",
    en: "the vendor answered something unexpected",
  },
  [ErrorReason.DEADLINE_EXCEEDED]: { zh: "请求超时", en: "the deadline passed" },
  [ErrorReason.CANCELLED]: { zh: "请求已取消", en: "the call was cancelled" },
  [ErrorReason.INTERNAL]: { zh: "服务内部错误", en: "internal error" },
} satisfies Record<ErrorReason, Text>;

/** The first language of an `accept-language` header that there are texts in; else `otherwise`. */
export function languageOf(header: string | undefined, otherwise: Language): Language {
  for (const range of header?.split(",") ?? []) {
    const tag = range.trim().slice(0, 2).toLowerCase();
    if (tag === "zh" || tag === "en") return tag;
  }
  return otherwise;
}
