import { ErrorReason, type FieldViolation } from "../errors.ts";

/** A text in both languages. */
export type Text = Readonly<Record<Language, string>>;

export type Language = "zh" | "en";

/** The message a caller gets for a failed call. Vague on purpose: the detail is in the log. */
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
  [ErrorReason.NO_LEDGER]: { zh: "服务未启用台账", en: "this service keeps no ledger" },
  [ErrorReason.LEDGER_UNAVAILABLE]: {
    zh: "台账暂不可用，请稍后再试",
    en: "the ledger cannot be reached at the moment",
  },
  [ErrorReason.RESUME_TOKEN_EXPIRED]: {
    zh: "resume_token 已过期",
    en: "the resume_token is older than what the ledger keeps",
  },
  [ErrorReason.STOPPING]: { zh: "服务正在停止，请重试", en: "the service is stopping" },
  [ErrorReason.LINK_NOT_FOUND]: { zh: "链接不存在", en: "there is no such link" },
  [ErrorReason.NO_PUBLIC_URL]: { zh: "服务未启用核身链接", en: "this service makes no verification links" },
  [ErrorReason.LINKS_UNAVAILABLE]: {
    zh: "核身链接暂不可用，请稍后再试",
    en: "verification links are unreachable at the moment",
  },
  [ErrorReason.INTERNAL]: { zh: "服务内部错误", en: "internal error" },
} satisfies Record<ErrorReason, Text>;

/** The first supported language in an `accept-language` header; `fallback` if there is none. */
export function languageOf(header: string | undefined, fallback: Language): Language {
  for (const range of header?.split(",") ?? []) {
    const tag = range.trim().slice(0, 2).toLowerCase();
    if (tag === "zh" || tag === "en") return tag;
  }
  return fallback;
}

/**
 * What each rule requires, by `field rule`, or by the rule alone where it applies to any field. Rules in the proto have
 * protovalidate's names; a test keeps the table complete.
 */
const RULES: Readonly<Record<string, Text>> = {
  "name string.min_len": { zh: "至少 2 个字符", en: "must be at least 2 characters" },
  "name string.max_len": { zh: "最多 64 个字符", en: "must be at most 64 characters" },
  "name.control": { zh: "不能包含控制字符", en: "must not hold control characters" },
  "name.replacement": {
    zh: "含有替换字符 U+FFFD：原文不是 UTF-8",
    en: "holds U+FFFD: what was sent is not UTF-8",
  },
  "id_no string.pattern": { zh: "须为 5 到 32 位字母或数字", en: "must be 5 to 32 letters and digits" },
  "id_no.characters": {
    zh: "为 18 位时，须为 17 位数字加一位数字或 X",
    en: "of 18 characters must be 17 digits and a digit or X",
  },
  "id_no.birth_date": {
    zh: "第 7 至 14 位须为真实的出生日期",
    en: "must hold a real date of birth in characters 7 to 14",
  },
  "id_no.check_digit": {
    zh: "校验位不正确（GB 11643-1999）",
    en: "must end in the right check digit (GB 11643-1999)",
  },
  "order_no string.pattern": {
    zh: "须为 1 到 32 位字母或数字",
    en: "must be 1 to 32 letters and digits",
  },
  "order_no.internal": { zh: "仅内部调用方可以指定", en: "may be given by internal callers only" },
  "user_id string.pattern": { zh: "最多 30 位字母或数字", en: "must be at most 30 letters and digits" },
  "photo bytes.max_len": { zh: "最大 500 KiB", en: "must be at most 500 KiB" },
  "photo_type enum.defined_only": { zh: "不是已定义的取值", en: "must be a defined value" },
  "photo.type": { zh: "photo 与 photo_type 须同时给出", en: "photo and photo_type come together" },
  "request_id string.pattern": {
    zh: "最多 64 个可打印 ASCII 字符",
    en: "must be at most 64 printable ASCII characters",
  },
  "reference string.pattern": {
    zh: "最多 64 个可打印 ASCII 字符",
    en: "must be at most 64 printable ASCII characters",
  },
  "page_token.unknown": {
    zh: "不是本接口给出的 next_page_token",
    en: "must be a next_page_token of this method",
  },
  "resume_token.unknown": {
    zh: "不是 WatchResults 给出的 resume_token",
    en: "must be a resume_token of WatchResults",
  },
  "link_id string.pattern": {
    zh: "不是核身链接的 link_id",
    en: "must be the link_id of a verification link",
  },
  "return_url string.max_len": { zh: "最多 1024 个字符", en: "must be at most 1024 characters" },
  "return_url string.pattern": { zh: "须为可打印 ASCII 字符", en: "must be printable ASCII characters" },
  "return_url.allowed": {
    zh: "须位于 LINK_RETURN_URLS 之一之下",
    en: "must be below one of LINK_RETURN_URLS",
  },
  "life duration.gt_lte": { zh: "须大于 0 且不超过 24 小时", en: "must be more than 0 and at most 24 hours" },
  "max_attempts int32.gte_lte": { zh: "须为 0 到 10", en: "must be 0 to 10" },
  "endpoint.unknown": { zh: "不是 WEBHOOK_ENDPOINTS 中的名称", en: "must be a name in WEBHOOK_ENDPOINTS" },
  "form.duplicate": { zh: "重复出现", en: "is given more than once" },
  "form.escape": { zh: "含有不完整的 % 转义", en: "holds a broken % escape" },
  "form.utf8": { zh: "不是 UTF-8", en: "is not UTF-8" },
  "form.too_many": { zh: "字段过多", en: "has too many fields" },
  "form.unknown": { zh: "不是此接口的字段", en: "is not a field of this route" },
  "form.query": { zh: "须放在表单内容中，而不是 URL 中", en: "belongs into the body and not into the URL" },
  "form.encoding": { zh: "不得压缩", en: "must not be compressed" },
  "form.content_type": {
    zh: "须为 UTF-8 的 application/x-www-form-urlencoded",
    en: "must be application/x-www-form-urlencoded in UTF-8",
  },
};

/** The rule in words; its name if it is not in the table. */
export function ruleText({ field, rule }: FieldViolation, language: Language): string {
  return (RULES[`${field} ${rule}`] ?? RULES[rule])?.[language] ?? rule;
}

/** All violations as one text, each after its field; "" for none. */
export function violationsText(violations: readonly FieldViolation[], language: Language): string {
  return violations
    .map((violation) => `${violation.field} ${ruleText(violation, language)}`)
    .join(language === "zh" ? "；" : "; ");
}
