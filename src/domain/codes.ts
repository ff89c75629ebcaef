import { NextStep, Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import { ErrorReason } from "../errors.ts";

/**
 * The catalogue of the vendor's codes (protocol.md 8.2): the one place where a code gets its meaning. Each code has one
 * class, and the class decides; an unlisted code fails closed (class `unknown`).
 */
export interface CodeEntry {
  /** The vendor's code, as text. */
  code: string;
  codeClass: CodeClass;
  meaning: CodeMeaning;
  /** Whether the vendor charges for this outcome (protocol.md 10.2). */
  billed: boolean;
  text: { zh: string; en: string };
}

/** What a code means: a verdict, or that the call failed. */
export type CodeMeaning = (VerdictMeaning | FailureMeaning) & {
  /** Whether the same call may succeed shortly after. */
  retryable: boolean;
  fault: "nobody" | "person" | "caller" | "operator" | "service" | "vendor";
  /**
   * The class of this code in a result query without a photo supplied by the caller: the vendor then means the capture, or
   * the photo in the authoritative source.
   */
  withoutPhoto?: "capture" | "noSourcePhoto";
};

export interface VerdictMeaning {
  kind: "verdict";
  verdict: Verdict;
  reason: VerdictReason;
  nextStep: NextStep;
  /** GetFaceParams' error if the vendor returns this code while a launch is prepared. */
  onLaunch: ErrorReason;
}

export interface FailureMeaning {
  kind: "failure";
  /** The error of either call. */
  error: ErrorReason;
}

const { PASSED, FAILED, INCONCLUSIVE, NOT_COMPLETED } = Verdict;
const { UPSTREAM_UNEXPECTED, UPSTREAM_UNAVAILABLE, UPSTREAM_REFUSED } = ErrorReason;

function verdict(verdict: Verdict, reason: VerdictReason, nextStep: NextStep) {
  return {
    kind: "verdict",
    verdict,
    reason,
    nextStep,
    onLaunch: UPSTREAM_UNEXPECTED as ErrorReason,
    retryable: false,
  } as const;
}

const failure = (error: ErrorReason, retryable = false) => ({ kind: "failure", error, retryable }) as const;

export const CLASSES = {
  ok: { ...verdict(PASSED, VerdictReason.SAME_PERSON, NextStep.NONE), fault: "nobody" },
  notSamePerson: { ...verdict(FAILED, VerdictReason.NOT_SAME_PERSON, NextStep.NONE), fault: "person" },
  nameIdMismatch: {
    ...verdict(FAILED, VerdictReason.NAME_ID_MISMATCH, NextStep.CHECK_INPUT),
    onLaunch: ErrorReason.IDENTITY_REJECTED,
    fault: "person",
  },
  noSuchIdNumber: {
    ...verdict(FAILED, VerdictReason.NO_SUCH_ID_NUMBER, NextStep.CHECK_INPUT),
    onLaunch: ErrorReason.IDENTITY_REJECTED,
    fault: "person",
  },
  invalidIdentity: {
    ...verdict(FAILED, VerdictReason.INVALID_IDENTITY, NextStep.CHECK_INPUT),
    onLaunch: ErrorReason.IDENTITY_REJECTED,
    fault: "person",
  },
  attack: { ...verdict(FAILED, VerdictReason.LIVENESS_ATTACK, NextStep.RETRY), fault: "person" },
  capture: { ...verdict(INCONCLUSIVE, VerdictReason.CAPTURE_UNUSABLE, NextStep.RETRY), fault: "person" },
  otherDevice: {
    ...verdict(INCONCLUSIVE, VerdictReason.CAPTURE_UNUSABLE, NextStep.OTHER_CHANNEL),
    fault: "person",
  },
  noSourcePhoto: {
    ...verdict(INCONCLUSIVE, VerdictReason.NO_SOURCE_PHOTO, NextStep.OTHER_CHANNEL),
    fault: "nobody",
  },
  dailyLimit: {
    ...verdict(INCONCLUSIVE, VerdictReason.DAILY_LIMIT, NextStep.STOP_FOR_TODAY),
    onLaunch: ErrorReason.DAILY_LIMIT,
    fault: "person",
  },
  noRecord: { ...verdict(NOT_COMPLETED, VerdictReason.NO_RECORD, NextStep.RETRY), fault: "nobody" },
  photo: { ...failure(ErrorReason.PHOTO_REJECTED), fault: "caller" },
  captureOrPhoto: { ...failure(ErrorReason.PHOTO_REJECTED), withoutPhoto: "capture", fault: "caller" },
  sourceOrPhoto: { ...failure(ErrorReason.PHOTO_REJECTED), withoutPhoto: "noSourcePhoto", fault: "caller" },
  refused: { ...failure(UPSTREAM_REFUSED, true), fault: "service" },
  service: { ...failure(ErrorReason.INTERNAL), fault: "service" },
  rate: { ...failure(ErrorReason.RATE_LIMITED, true), fault: "caller" },
  misconfigured: { ...failure(ErrorReason.UPSTREAM_MISCONFIGURED), fault: "operator" },
  trouble: { ...failure(UPSTREAM_UNAVAILABLE, true), fault: "vendor" },
  unknown: { ...failure(UPSTREAM_UNEXPECTED), fault: "vendor" },
} satisfies Record<string, CodeMeaning>;

export type CodeClass = keyof typeof CLASSES;

type Row = [codes: string, codeClass: CodeClass, zh: string, en: string];

const ROWS: readonly Row[] = [
  ["0", "ok", "核身通过", "verified: the same person"],
  ["15", "refused", "access token 已过期", "the access token has expired"],
  ["400101", "refused", "签名校验未通过", "the signature was refused"],
  ["400102", "refused", "登录态失效", "the login state has expired"],
  ["400103 400104", "refused", "access token 或 ticket 无效", "the access token or ticket was refused"],
  ["400502", "service", "接口版本号错误", "wrong interface version"],
  ["400504", "rate", "同一用户获取 NONCE ticket 过于频繁", "NONCE tickets asked for too often for one user"],
  ["400506", "rate", "请求过于频繁", "too many requests at once"],
  ["400601", "photo", "请求内容过大", "the request body, that is the photo, is too large"],
  ["400604", "capture", "视频非现场录制", "the video was not recorded live"],
  ["66660001", "misconfigured", "App ID 不存在", "the app id does not exist"],
  ["66660002", "misconfigured", "服务已过有效期", "the service is past its validity period"],
  ["66660004", "notSamePerson", "人脸比对不一致", "not the same person"],
  ["66660005", "noSourcePhoto", "权威库中没有照片", "the authoritative source has no photo"],
  ["66660010", "nameIdMismatch", "姓名与身份证号不匹配", "name and ID number do not match"],
  ["66660011", "noRecord", "没有核身结果", "there is no result for this order"],
  ["66660015", "invalidIdentity", "姓名或身份证号不合法", "name or ID number is not valid"],
  ["66660016", "capture", "视频或文件不合法", "the video or file is not valid"],
  ["66660017", "dailyLimit", "当日核身次数超限", "the person's attempts for today are used up"],
  ["66660018", "capture", "操作超时", "the operation timed out"],
  ["66660020", "unknown", "无 OCR 结果", "there is no OCR result"],
  ["66660021", "trouble", "网络繁忙", "the vendor is busy"],
  ["66660022", "capture", "数字码已过期", "the dynamic digits have expired"],
  ["66660023 66660036 -5025 -5020", "attack", "活体防攻击未通过", "the liveness check saw an attack"],
  ["66660024", "noSuchIdNumber", "权威库中没有该身份证号", "the authoritative source has no such ID number"],
  ["66660025 -1404", "capture", "活体检测未通过", "the liveness check was not passed"],
  ["66660026", "captureOrPhoto", "高清照片大小不合法", "the size of the clear photo is not acceptable"],
  ["66660030", "misconfigured", "不支持该服务类型", "the app id is not entitled to this service"],
  ["66660033", "capture", "出现多张人脸", "more than two faces"],
  ["66660035 -1102", "capture", "未检测到人脸或照片无法解析", "no face, or the capture cannot be decoded"],
  ["66660037", "captureOrPhoto", "比对照片中有多张人脸", "several faces in the comparison photo"],
  ["66660038 -1101 -4014", "capture", "未检测到人脸", "no face"],
  [
    "66660039 66660040 -4017 -4018",
    "sourceOrPhoto",
    "比对照片无法解析",
    "the comparison photo cannot be parsed",
  ],
  ["66660041", "capture", "人脸有遮挡", "the face is occluded"],
  ["66660042", "capture", "人脸模糊", "the face is blurred"],
  ["66660043 66660045 66660046", "capture", "采集的视频或人脸不合格", "the capture was not good enough"],
  ["66660048 66660078", "capture", "没有合格的正脸", "no proper frontal face"],
  [
    "-5001 -5005 -5008 -5009 -5010 -5011 -5018 -5027",
    "capture",
    "视频、距离或光线不合格",
    "video, distance or light was not good enough",
  ],
  ["3001 3005", "otherDevice", "浏览器不支持", "the browser cannot do this"],
  ["3002 3003 3004 300101", "capture", "核身中断，请重新进入", "interrupted: enter again"],
  ["999997 999998 999999", "trouble", "系统繁忙", "the vendor is busy"],
];

const BILLED = new Set(["0", "66660004", "66660010"]);

/** All known codes. */
export const CODES: ReadonlyMap<string, CodeEntry> = new Map(
  ROWS.flatMap(([codes, codeClass, zh, en]) =>
    codes.split(" ").map((code) => [code, entryOf(code, codeClass, zh, en)] as const),
  ),
);

/** The entry of a code; of class `unknown` if the code is not listed. */
export const codeEntry = (code: string): CodeEntry =>
  CODES.get(code) ?? entryOf(code, "unknown", "未知的返回码", "a code that this service does not know");

function entryOf(code: string, codeClass: CodeClass, zh: string, en: string): CodeEntry {
  return { code, codeClass, meaning: CLASSES[codeClass], billed: BILLED.has(code), text: { zh, en } };
}

/** GetFaceParams' error for a code with this meaning. */
export const launchError = (meaning: CodeMeaning): ErrorReason =>
  meaning.kind === "verdict" ? meaning.onLaunch : meaning.error;

/** Codes of the H5 page itself, with which it sends the browser back before there is a record (protocol.md 8.2). */
const FRONT_END = new Set(["3001", "3002", "3003", "3004", "3005", "300101"]);
export const isFrontEnd = (code: string): boolean => FRONT_END.has(code);

/** Whether the vendor refused token, ticket or signature, which a new pair may cure (class AUTH of protocol.md 8.2). */
export const isRefusal = ({ codeClass }: CodeEntry): boolean => codeClass === "refused";
