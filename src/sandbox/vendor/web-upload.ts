import { orderFindings, readFields } from "./checks.ts";
import { photoFindings } from "./media.ts";
import { isValidIdentity } from "./person.ts";
import { formatChinaTime, messageOf, refuse, type VendorReply } from "./reply.ts";
import type { SandboxRequest } from "./request.ts";
import { scenarioOf } from "./scenarios.ts";
import { signFindings } from "./signatures.ts";
import type { State } from "./state.ts";

/** The upload for the basic edition's H5 and PC H5 pages. */
export const WEB_UPLOAD = "/api/server/h5/geth5faceid";

const FIELDS = [
  "appId",
  "webankAppId",
  "orderNo",
  "name",
  "idNo",
  "userId",
  "sourcePhotoStr",
  "sourcePhotoType",
  "version",
  "sign",
];

/**
 * POST of an identity for a page; returns an h5faceId (protocol.md 9). Signs seven values, name and ID number among them, and no
 * nonce. The app id goes by either name, as pages and clients of different years have it.
 */
export function answerWebUpload(request: SandboxRequest, state: State): VendorReply {
  const [fields, bodyFindings] = readFields(request, FIELDS);
  const { orderNo = "", name = "", idNo = "", userId = "", version = "", sign = "" } = fields;
  const appId = fields["appId"] ?? fields["webankAppId"];
  const { breaches, editions, seen } = state;
  const bodyRefusal = breaches.judge(request, [
    ["edition_not_entitled", !editions.has("basic")],
    ...bodyFindings,
  ]);
  if (bodyRefusal) return refuse(state, bodyRefusal);
  const values = [appId ?? state.appId, orderNo, name, idNo, userId, version];
  const refusal = breaches.judge(request, [
    ["app_id_both_names", fields["appId"] !== undefined && fields["webankAppId"] !== undefined],
    ["app_id_unknown", appId !== state.appId],
    ...orderFindings(fields, request),
    ["user_id_format", !/^[0-9A-Za-z]{1,32}$/.test(userId)],
    ...signFindings(sign, values, userId, state),
    ["order_no_reused", seen.orderNumbers.has(orderNo)],
    ...photoFindings(fields["sourcePhotoStr"] ?? "", fields["sourcePhotoType"]),
    ["identity_invalid", !isValidIdentity(name, idNo)],
  ]);
  if (refusal) return refuse(state, refusal);

  seen.orderNumbers.add(orderNo);
  const scenario = scenarioOf(idNo);
  if (scenario.at === "upload") return refuse(state, scenario.code);
  const order = { orderNo, userId, edition: "basic", channel: "browser", scenario } as const;
  const { faceId: h5faceId } = state.orders.create(order);
  const transactionTime = formatChinaTime(state.clock.now());
  const bizSeqNo = state.shape.serial();
  return {
    code: "0",
    msg: messageOf("0"),
    bizSeqNo,
    result: { bizSeqNo, transactionTime, orderNo, h5faceId, ...state.shape.uploaded },
    transactionTime,
  };
}
