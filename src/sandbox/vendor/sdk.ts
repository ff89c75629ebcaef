import { type Fields, isWord } from "./checks.ts";
import type { Order } from "./orders.ts";
import { messageOf } from "./reply.ts";
import { isJsonObject, readJsonObject, type SandboxRequest } from "./request.ts";
import { type Scenario, scenarioNamed } from "./scenarios.ts";
import { launchFindings } from "./signatures.ts";
import type { State } from "./state.ts";
import { expectedSign } from "./verify.ts";

/** The played SDK's response; the HTTP `status` is 400 only if the requested outcome is invalid. */
export interface SdkReply {
  status: number;
  json: Readonly<Record<string, unknown>>;
}

/**
 * POST /sdk/verify: plays the App SDK from login to the end of the capture (protocol.md 0.2, steps 7 and 8).
 * Takes the app's launch parameters as JSON or a form, in snake or camel case, or the whole response of
 * /get_face_params; and `outcome`.
 */
export function playSdk(request: SandboxRequest, state: State): SdkReply {
  const launch = readLaunch(request);
  const {
    appId = "",
    orderNo = "",
    faceId = "",
    version = "",
    nonce = "",
    userId = "",
    sign = "",
    outcome,
  } = launch;
  const requested = outcome === undefined ? undefined : scenarioNamed(outcome);
  if (outcome !== undefined && requested?.at !== "query") return noSuchOutcome();

  const [ticket, ticketFindings] = launchFindings(sign, [appId, userId, version, nonce], userId, state);
  const order = state.orders.byFaceId(faceId);
  const refusal = state.breaches.judge(request, [
    ["app_id_unknown", appId !== state.appId],
    ["version_wrong", version !== "1.0.0"],
    ["order_no_format", !isWord(orderNo, 1, 32)],
    ["user_id_format", !isWord(userId, 1, 32)],
    ["nonce_format", !isWord(nonce, 32, 32)],
    ...ticketFindings,
    // A second start with the same parameters counts as one breach, the used ticket, not two.
    ["nonce_reused", !ticket?.used && state.seen.launchNonces.has(nonce)],
    ["face_id_unknown", order === undefined],
    ["face_id_of_other_order", order !== undefined && order.orderNo !== orderNo],
    ["user_id_differs", order !== undefined && order.userId !== userId],
    ["face_id_expired", order !== undefined && state.clock.now() >= order.faceIdExpiresAt],
    ["face_id_used", order?.outcome !== undefined],
    ["face_id_of_other_channel", order?.channel === "browser"],
  ]);
  if (ticket) ticket.used = true;
  state.seen.launchNonces.add(nonce);
  if (refusal || !order) return launchRefused(orderNo, refusal ?? "66660018");
  return completeOrder(order, requested ?? order.scenario, state);
}

/** Records an outcome and returns what the SDK would pass to the app (protocol.md 7.4). */
export function completeOrder(order: Order, scenario: Scenario, state: State): SdkReply {
  // A user who leaves has no result and may start again; every other outcome completes the order.
  if (scenario.name !== "abandoned") state.orders.complete(order, scenario);
  const { name, code, zh, en, evidence } = scenario;
  const isSuccess = code === "0";
  const ticket = state.credentials.signTickets()[0]?.value;
  const error = evidence
    ? { domain: "WBFaceErrorDomainCompareServer", code, desc: zh, reason: en }
    : {
        domain: "WBFaceErrorDomainNativeProcess",
        code: name === "abandoned" ? "41000" : "41010",
        desc: zh,
        reason: en,
      };
  return {
    status: 200,
    json: {
      code: "0",
      msg: messageOf("0"),
      result: {
        orderNo: order.orderNo,
        outcome: name,
        isSuccess,
        // Signed with the newest SIGN ticket, and meaningful on success only (protocol.md 6.5).
        ...(isSuccess &&
          ticket && { sign: expectedSign([state.appId, order.orderNo, "0"], ticket).toUpperCase() }),
        ...(evidence?.liveRate && { liveRate: evidence.liveRate }),
        ...(evidence?.similarity && { similarity: evidence.similarity }),
        error: isSuccess ? null : error,
      },
    },
  };
}

export function noSuchOutcome(): SdkReply {
  const msg = "no such outcome after an upload; GET /sandbox/scenarios lists them";
  return { status: 400, json: { code: "400", msg } };
}

function launchRefused(orderNo: string, code: string): SdkReply {
  const error = {
    domain: "WBFaceErrorDomainLoginServer",
    code,
    desc: messageOf(code),
    reason: "login failed",
  };
  return { status: 200, json: { code, msg: messageOf(code), result: { orderNo, isSuccess: false, error } } };
}

/** The Android SDK's names for its input (protocol.md 7.1), so that it can be pasted. */
const SDK_NAMES: Readonly<Partial<Record<string, string>>> = {
  agreementNo: "orderNo",
  openApiAppId: "appId",
  openApiAppVersion: "version",
  openApiNonce: "nonce",
  openApiUserId: "userId",
  openApiSign: "sign",
};

function readLaunch({ body, query }: SandboxRequest): Fields {
  const { outcome } = query;
  const input = readJsonObject(body) ?? Object.fromEntries(new URLSearchParams(body));
  return { ...launchFields(input), ...(typeof outcome === "string" && { outcome }) };
}

/** Launch parameters, named as in protocol.md 5.1, from any of the formats that `playSdk` accepts. */
export function launchFields(input: Readonly<Record<string, unknown>>): Fields {
  const nested = isJsonObject(input["result"]) ? input["result"] : {};
  const fields: Partial<Record<string, string>> = {};
  for (const [name, value] of Object.entries({ ...input, ...nested })) {
    const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (typeof value === "string") fields[SDK_NAMES[camel] ?? camel] = value;
  }
  return fields;
}
