import type { FieldViolation } from "../errors.ts";
import type { Language, Text } from "./texts.ts";

/**
 * What each rule asks for, in the two languages of the callers: `field rule`, or the rule alone where it holds for any
 * field. Those of the proto are called as protovalidate calls them; a test keeps this complete.
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
  "form.duplicate": { zh: "重复出现", en: "is given more than once" },
  "form.escape": { zh: "含有不完整的 % 转义", en: "holds a broken % escape" },
  "form.utf8": { zh: "不是 UTF-8", en: "is not UTF-8" },
  "form.too_many": { zh: "字段过多", en: "has too many fields" },
  "form.unknown": { zh: "不是此接口的字段", en: "is not a field of this route" },
  "form.query": { zh: "须放在表单内容中，而不是 URL 中", en: "belongs into the body and not into the URL" },
  "form.encoding": { zh: "须不压缩", en: "must not be compressed" },
  "form.content_type": {
    zh: "须为 UTF-8 的 application/x-www-form-urlencoded",
    en: "must be application/x-www-form-urlencoded in UTF-8",
  },
};

/** The rule in words; the rule's own name where there are none. */
export function ruleText({ field, rule }: FieldViolation, language: Language): string {
  return (RULES[`${field} ${rule}`] ?? RULES[rule])?.[language] ?? rule;
}

/** All broken rules as one text, each after its field; "" for none. */
export function violationsText(violations: readonly FieldViolation[], language: Language): string {
  return violations
    .map((violation) => `${violation.field} ${ruleText(violation, language)}`)
    .join(language === "zh" ? "；" : "; ");
}
