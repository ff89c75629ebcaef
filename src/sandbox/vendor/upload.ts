import type { BreachFinding } from "./breaches.ts";
import { type Fields, isWord, readFields, signedFindings } from "./checks.ts";
import { photoFindings } from "./media.ts";
import type { VendorEdition } from "./orders.ts";
import { isValidIdentity } from "./person.ts";
import { formatChinaTime, messageOf, refuse, type VendorReply } from "./reply.ts";
import type { SandboxRequest } from "./request.ts";
import { scenarioOf } from "./scenarios.ts";
import { signFindings } from "./signatures.ts";
import type { State } from "./state.ts";

/** Path and app id field of each edition (protocol.md 4.1). */
export const UPLOADS: Readonly<Record<VendorEdition, { path: string; appIdField: string }>> = {
  basic: { path: "/api/server/getfaceid", appIdField: "webankAppId" },
  enhanced: { path: "/api/server/getAdvFaceId", appIdField: "appId" },
  plus: { path: "/api/server/getPlusFaceId", appIdField: "appId" },
};

const FIELDS = [
  "orderNo",
  "name",
  "idNo",
  "userId",
  "sourcePhotoStr",
  "sourcePhotoType",
  "version",
  "sign",
  "nonce",
];

/** POST of an identity; returns a faceId (protocol.md 4.2, 4.3). */
export function answerUpload(edition: VendorEdition, request: SandboxRequest, state: State): VendorReply {
  const { appIdField } = UPLOADS[edition];
  const [fields, bodyFindings] = readFields(request, ["appId", "webankAppId", ...FIELDS]);
  const { orderNo = "", userId = "", version = "", nonce = "", sign = "" } = fields;
  const appId = fields[appIdField];
  const { breaches, editions } = state;
  const bodyRefusal = breaches.judge(request, [
    ["edition_not_entitled", !editions.has(edition)],
    ...bodyFindings,
  ]);
  if (bodyRefusal) return refuse(state, bodyRefusal);
  const refusal = breaches.judge(request, [
    ...appIdFindings(fields, appIdField, state),
    ...signedFindings(fields, request, state),
    ["user_id_format", !isWord(userId, 1, 32)],
    ...signFindings(sign, [appId ?? state.appId, userId, version, nonce], userId, state),
    ["order_no_reused", state.seen.orderNumbers.has(orderNo)],
    ...photoFindings(fields["sourcePhotoStr"] ?? "", fields["sourcePhotoType"]),
    ["identity_invalid", !isIdentity(fields)],
  ]);
  if (refusal) return refuse(state, refusal);

  state.seen.nonces.add(nonce);
  state.seen.orderNumbers.add(orderNo);
  const scenario = scenarioOf(fields["idNo"] ?? "");
  if (scenario.at === "upload") return refuse(state, scenario.code);

  const channel = edition === "basic" ? "app" : "both";
  const { faceId } = state.orders.create({ orderNo, userId, edition, channel, scenario });
  const transactionTime = formatChinaTime(state.clock.now());
  const bizSeqNo = state.shape.serial();
  return {
    code: "0",
    msg: messageOf("0"),
    bizSeqNo,
    result: { bizSeqNo, transactionTime, orderNo, faceId, ...state.shape.uploaded },
    transactionTime,
  };
}

function appIdFindings(fields: Fields, appIdField: string, state: State): BreachFinding[] {
  const other = appIdField === "appId" ? "webankAppId" : "appId";
  const isOther = fields[other] !== undefined;
  return [
    ["app_id_field_wrong", isOther],
    ["app_id_unknown", (fields[appIdField] ?? fields[other]) !== state.appId],
  ];
}

/** Name and number are required unless a photo to compare with is sent (protocol.md 4.2). */
function isIdentity({ name = "", idNo = "", sourcePhotoStr = "" }: Fields): boolean {
  if (sourcePhotoStr !== "" && name === "" && idNo === "") return true;
  return isValidIdentity(name, idNo);
}
