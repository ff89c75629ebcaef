import { type Fields, isWord, queryFindings } from "./checks.ts";
import type { Order } from "./orders.ts";
import { firstValues, type SandboxRequest } from "./request.ts";
import { type Scenario, scenarioNamed } from "./scenarios.ts";
import { completeOrder } from "./sdk.ts";
import { launchFindings } from "./signatures.ts";
import type { State } from "./state.ts";
import { expectedSign } from "./verify.ts";

/** The pages: for phones, and for computers with a camera. */
export type WebPageKind = "web" | "pc";

/** A browser on the vendor's page. */
export interface WebVisit {
  order: Order;
  kind: WebPageKind;
  /** Where it is sent back to. */
  callbackUrl: string;
}

/** How the signature of a callback is wrong. */
export type SignatureFault = "forged_signature" | "stale_signature" | "missing_signature";

const COMMON = ["version", "nonce", "orderNo", "url", "userId", "sign"];
/** The parameters of mobile pages only (protocol.md 9). */
const MOBILE = ["resultType", "from", "redirectType"];
const NAMES = ["appId", "webankAppId", "faceId", "h5faceId"];

/**
 * GET /api/web/login and /api/pc/login: a launch of the page (protocol.md 9). Resolves to the visit, or to the vendor's code
 * that refuses it. Spends the NONCE ticket, whoever asks: a browser that prefetches, too.
 */
export function beginVisit(kind: WebPageKind, request: SandboxRequest, state: State): WebVisit | string {
  const query: Fields = firstValues(request.query);
  const { version = "", nonce = "", orderNo = "", url = "", userId = "", sign = "", from } = query;
  const order = state.orders.byNumber(orderNo);
  const isBasic = order?.edition === "basic";
  const [appIdField, faceIdField] = isBasic ? ["webankAppId", "h5faceId"] : ["appId", "faceId"];
  const [appId, faceId] = [
    query["appId"] ?? query["webankAppId"],
    query["faceId"] ?? query["h5faceId"] ?? "",
  ];
  const values = [appId ?? "", userId, orderNo, version, faceId, nonce];
  const [ticket, ticketFindings] = launchFindings(sign, values, userId, state);
  const known = kind === "pc" ? [...COMMON, ...NAMES] : [...COMMON, ...NAMES, ...MOBILE];
  // Computers' pages are basic, and have been printed with both names of the app id.
  const allowed = kind === "pc" ? [appIdField, faceIdField, "appId"] : [appIdField, faceIdField];
  const misnamed = (name: string) => query[name] !== undefined && !allowed.includes(name);
  const refusal = state.breaches.judge(request, [
    ...queryFindings(request, known),
    ["app_id_both_names", query["appId"] !== undefined && query["webankAppId"] !== undefined],
    ["app_id_unknown", appId !== state.appId],
    ["app_id_field_wrong", order !== undefined && (misnamed("appId") || misnamed("webankAppId"))],
    ["face_id_field_wrong", order !== undefined && (misnamed("faceId") || misnamed("h5faceId"))],
    ["version_wrong", version !== "1.0.0"],
    ["order_no_format", !isWord(orderNo, 1, 32)],
    ["user_id_format", !isWord(userId, 1, 32)],
    ["nonce_format", !isWord(nonce, 32, 32)],
    ["callback_url_wrong", !isCallbackUrl(url)],
    ["from_wrong", from !== undefined && from !== "browser" && from !== "App"],
    ...ticketFindings,
    ["nonce_reused", !ticket?.used && state.seen.launchNonces.has(nonce)],
    ["face_id_unknown", order === undefined || state.orders.byFaceId(faceId) === undefined],
    ["face_id_of_other_order", order !== undefined && order.faceId !== faceId],
    ["face_id_of_other_channel", order?.channel === "app"],
    ["pc_page_wrong", kind === "pc" && order !== undefined && !isBasic],
    ["user_id_differs", order !== undefined && order.userId !== userId],
    ["face_id_expired", order !== undefined && state.clock.now() >= order.faceIdExpiresAt],
    ["face_id_used", order?.outcome !== undefined],
  ]);
  if (ticket) ticket.used = true;
  state.seen.launchNonces.add(nonce);
  if (refusal || !order) return refusal ?? "66660018";
  return { order, kind, callbackUrl: url };
}

/** The codes of the page itself, which leave no record (protocol.md 8.2). */
export const FRONT_END_CODES = {
  "3001": ["浏览器无法录制视频", "the browser cannot record video"],
  "3002": ["登录态异常", "the session was lost"],
  "3003": ["中途中断", "interrupted"],
  "3004": ["无摄像头权限", "the camera was not allowed"],
  "3005": ["浏览器不支持实时检测", "the browser cannot do the live check"],
  "300101": ["报文包体问题", "a problem with the message"],
} as const;

/**
 * Ends a visit with an outcome, by name or front-end code, and resolves to the URL that the browser is sent to; undefined for
 * an unknown outcome.
 */
export function endVisit(
  { order, kind, callbackUrl }: WebVisit,
  outcome: string,
  fault: SignatureFault | undefined,
  state: State,
): string | undefined {
  const scenario = outcome in FRONT_END_CODES ? undefined : scenarioNamed(outcome);
  if (!(outcome in FRONT_END_CODES) && scenario?.at !== "query") return undefined;
  if (scenario && order.outcome === undefined) completeOrder(order, scenario, state);
  const code = fault === "forged_signature" ? "0" : codeOf(outcome, scenario);
  const signature = signatureOf(order.orderNo, code, outcome in FRONT_END_CODES, fault, state);
  const liveRate = scenario?.evidence?.liveRate;
  const query = new URLSearchParams({
    code,
    orderNo: order.orderNo,
    h5faceId: order.faceId,
    ...(signature !== undefined && { [kind === "pc" ? "newSign" : "newSignature"]: signature }),
    ...(kind === "web" && liveRate !== undefined && { liveRate }),
  });
  return `${callbackUrl}?${query.toString()}`;
}

/** A person who leaves is an interruption for the page, and one who is blocked has used up the attempts. */
function codeOf(outcome: string, scenario: Scenario | undefined): string {
  if (!scenario) return outcome;
  if (scenario.evidence) return scenario.code;
  return scenario.name === "blocked" ? "66660017" : "3003";
}

/** Upper-case; whether the page's own codes are signed is not documented, and here they are not. */
function signatureOf(
  orderNo: string,
  code: string,
  isFrontEnd: boolean,
  fault: SignatureFault | undefined,
  { appId, credentials }: State,
): string | undefined {
  if (fault === "missing_signature" || (isFrontEnd && fault === undefined)) return undefined;
  const tickets = credentials.signTickets();
  const ticket = fault === "stale_signature" ? tickets.at(-1) : tickets[0];
  const value = fault === "forged_signature" ? "a ticket that never was" : ticket?.value;
  return value === undefined ? undefined : expectedSign([appId, orderNo, code], value).toUpperCase();
}

/** Complete, without query and fragment; a URL that was encoded twice begins with no scheme. */
function isCallbackUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.search + url.hash === "";
}
