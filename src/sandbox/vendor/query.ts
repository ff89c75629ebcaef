import { readFields, signedFindings } from "./checks.ts";
import { PHOTO_BASE64, VIDEO_BASE64 } from "./media.ts";
import { formatChinaTime, messageOf, refuse, type VendorReply } from "./reply.ts";
import type { SandboxRequest } from "./request.ts";
import { signFindings } from "./signatures.ts";
import type { State } from "./state.ts";

const FIELDS = ["appId", "version", "nonce", "orderNo", "sign", "getFile", "queryVersion"];

/** The vendor's "no such result": unfinished, abandoned, blocked, or past the purge. */
const NO_RECORD = "66660011";

/** POST /api/v2/base/queryfacerecord (protocol.md 6.1). */
export function answerQuery(request: SandboxRequest, state: State): VendorReply {
  const [fields, bodyFindings] = readFields(request, FIELDS);
  const {
    appId,
    orderNo = "",
    version = "",
    nonce = "",
    sign = "",
    getFile = "",
    queryVersion = "",
  } = fields;
  // A query names no user; the order's is needed only to recognise a NONCE ticket used by mistake.
  const userId = state.orders.byNumber(orderNo)?.userId ?? "";
  const bodyRefusal = state.breaches.judge(request, bodyFindings);
  if (bodyRefusal) return refuse(state, bodyRefusal);
  const refusal = state.breaches.judge(request, [
    ["app_id_unknown", appId !== state.appId],
    ...signedFindings(fields, request, state),
    ...signFindings(sign, [appId ?? "", orderNo, version, nonce], userId, state),
    ["get_file_format", getFile.length > 1],
    ["query_version_format", queryVersion.length > 8],
  ]);
  if (refusal) return refuse(state, refusal);

  state.seen.nonces.add(nonce);
  const record = state.orders.recordOf(orderNo);
  if (!record?.scenario.evidence) return refuse(state, NO_RECORD);
  const { order, completedAt, serial } = record;
  const { code, evidence } = record.scenario;
  const { liveRate, similarity, photo, video, mediaDelayMs } = evidence;
  const hasMedia = state.clock.now() >= completedAt + mediaDelayMs;
  const occurredTime = formatChinaTime(completedAt);
  return {
    code,
    msg: messageOf(code),
    bizSeqNo: serial,
    result: {
      orderNo,
      ...state.shape.queried(code),
      ...(liveRate && { liveRate }),
      ...(similarity && { similarity }),
      occurredTime,
      appId: state.appId,
      ...(photo && hasMedia && "12".includes(getFile || "-") && { photo: PHOTO_BASE64 }),
      ...(video && hasMedia && "13".includes(getFile || "-") && { video: VIDEO_BASE64 }),
      bizSeqNo: serial,
      ...(queryVersion === "1.0" && { sdkVersion: "1.12.12", trtcFlag: "Y" }),
      ...(order.edition !== "basic" && { riskInfo: state.shape.riskInfo }),
    },
    transactionTime: formatChinaTime(state.clock.now()),
  };
}
