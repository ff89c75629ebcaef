import { SCENARIOS } from "./scenarios.ts";
import type { State } from "./state.ts";

/** The JSON of an answer. The HTTP status is 200 whatever the code (protocol.md 8.1). */
export type VendorReply = Readonly<Record<string, unknown>> & { readonly code: string };

const MESSAGES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(SCENARIOS.map(({ code, zh }) => [code, zh])),
  "0": "请求成功",
  "400101": "不合法请求（签名校验未通过）",
  "400102": "不合法请求（登录态失效）",
  "400103": "服务器拒绝访问此接口，请检查 ticket 请求参数",
  "400104": "服务器拒绝访问此接口，请检查 token 请求参数",
  "400502": "请求接口版本号 version 错误",
  "400504": "请求频次过高：同一用户每 2 秒只能获取一次 NONCE ticket",
  "400506": "请求频次过高：并发控制",
  "400601": "请求包体过大",
  "66660001": "App ID 不存在",
  "66660011": "无此查询结果",
  "66660015": "姓名或身份证号不合法",
  "66660017": "用户当日核身次数超限",
  "66660018": "操作超时，请重新进入",
  "66660030": "不支持的服务类型",
  "66660039": "比对源照片无法解析",
};

/** The text for a code; for people only. */
export function messageOf(code: string): string {
  return MESSAGES[code] ?? "未知错误";
}

/** An answer with only a code. */
export function refuse(state: State, code: string): VendorReply {
  return {
    code,
    msg: messageOf(code),
    bizSeqNo: state.shape.serial(),
    transactionTime: formatChinaTime(state.clock.now()),
  };
}

const CHINA_OFFSET_MS = 8 * 3_600_000;

/** Milliseconds since the Unix epoch in the vendor's format: `yyyyMMddHHmmss`, China time (protocol.md 1). */
export function formatChinaTime(ms: number): string {
  return new Date(ms + CHINA_OFFSET_MS).toISOString().replace(/\D/g, "").slice(0, 14);
}
