/** What the vendor stores of a capture; scores are absent if it could not judge. */
export interface CaptureEvidence {
  liveRate?: string;
  similarity?: string;
  photo: boolean;
  video: boolean;
  /** Delay from the capture until the files can be fetched, milliseconds (protocol.md 6.1). */
  mediaDelayMs: number;
}

/** An outcome, selected by name or by its ID number. */
export interface Scenario {
  name: string;
  /** The vendor's code, as returned by `queryfacerecord` (or, for `at: "upload"`, by the upload). */
  code: string;
  /** The call that returns the code. */
  at: "query" | "upload";
  zh: string;
  en: string;
  /** The magic ID number that selects it; its area code was never assigned, so it belongs to no person. */
  idNo: string;
  /** The record's content; null if no record is created. */
  evidence: CaptureEvidence | null;
}

const SCORED = { liveRate: "99", photo: true, video: true, mediaDelayMs: 0 };
const PASSED = { ...SCORED, similarity: "88.01" };
const UNSCORED = { photo: true, video: true, mediaDelayMs: 0 };
const BARE = { photo: false, video: false, mediaDelayMs: 0 };

type Row = [
  name: string,
  code: string,
  idNo: string,
  evidence: CaptureEvidence | null,
  zh: string,
  en: string,
];

const AT_QUERY: readonly Row[] = [
  ["passed", "0", "119999199001010012", PASSED, "核身通过", "the same person, alive"],
  [
    "not_same_person",
    "66660004",
    "119999199001010020",
    { ...SCORED, similarity: "31.27" },
    "人脸比对不一致",
    "not the same person",
  ],
  [
    "no_source_photo",
    "66660005",
    "119999199001010039",
    { ...SCORED },
    "权威库中没有照片",
    "the source has no photo",
  ],
  [
    "name_id_mismatch",
    "66660010",
    "119999199001010047",
    { ...SCORED },
    "姓名与身份证号不匹配",
    "name and ID number do not match",
  ],
  [
    "no_such_id",
    "66660024",
    "119999199001010055",
    { ...SCORED },
    "权威库中没有该身份证号",
    "the source has no such ID number",
  ],
  [
    "invalid_identity",
    "66660015",
    "119999199001010063",
    BARE,
    "姓名或身份证号不合法",
    "name or ID number is not valid",
  ],
  [
    "liveness_attack",
    "66660023",
    "119999199001010071",
    UNSCORED,
    "活体防攻击未通过",
    "the liveness check saw an attack",
  ],
  ["blurred", "66660042", "11999919900101008X", UNSCORED, "人脸模糊", "the face is blurred"],
  ["occluded", "66660041", "119999199001010098", UNSCORED, "人脸有遮挡", "the face is occluded"],
  ["no_face", "66660038", "119999199001010100", BARE, "未检测到人脸", "no face"],
  [
    "daily_limit",
    "66660017",
    "119999199001010119",
    BARE,
    "当日核身次数超限",
    "the attempts of the day are used up",
  ],
  [
    "blocked",
    "66660011",
    "119999199001010127",
    null,
    "超限后订单被拦截，无结果",
    "blocked after the daily limit: no record",
  ],
  ["abandoned", "66660011", "119999199001010135", null, "用户中途退出，无结果", "the user left: no record"],
  [
    "slow_media",
    "0",
    "119999199001010143",
    { ...PASSED, mediaDelayMs: 1000 },
    "核身通过，文件稍后可取",
    "passed; the files come 1 s later",
  ],
  ["busy", "66660021", "119999199001010151", BARE, "网络繁忙", "the vendor is busy"],
  ["unknown_code", "66669999", "11999919900101016X", BARE, "未知的返回码", "a code that nobody knows"],
];

const AT_UPLOAD: readonly Row[] = [
  [
    "upload_invalid_identity",
    "66660015",
    "119999199001011015",
    null,
    "上送时姓名或身份证号不合法",
    "the upload refuses the identity",
  ],
  [
    "upload_daily_limit",
    "66660017",
    "119999199001011023",
    null,
    "上送时当日次数超限",
    "the upload refuses: attempts used up",
  ],
];

const at =
  (call: Scenario["at"]) =>
  ([name, code, idNo, evidence, zh, en]: Row): Scenario => ({ name, code, at: call, zh, en, idNo, evidence });

/** The catalogue, served at GET /sandbox/scenarios. Any other valid ID number means `passed`. */
export const SCENARIOS: readonly Scenario[] = [...AT_QUERY.map(at("query")), ...AT_UPLOAD.map(at("upload"))];

const BY_NAME = new Map(SCENARIOS.map((scenario) => [scenario.name, scenario]));
const BY_ID_NO = new Map(SCENARIOS.map((scenario) => [scenario.idNo, scenario]));
const [DEFAULT] = SCENARIOS as readonly [Scenario, ...Scenario[]];

/** Finds a scenario by name or by the vendor's code; any other code gets a record without scores. */
export function scenarioNamed(name: string): Scenario | undefined {
  const named =
    BY_NAME.get(name) ?? SCENARIOS.find(({ code, at: call }) => code === name && call === "query");
  if (named || !/^-?\d{1,10}$/.test(name)) return named;
  return {
    name,
    code: name,
    at: "query",
    zh: "指定的返回码",
    en: "a code asked for",
    idNo: "",
    evidence: BARE,
  };
}

/** The scenario an ID number selects; `passed` unless it is magic. */
export function scenarioOf(idNo: string): Scenario {
  return BY_ID_NO.get(idNo) ?? DEFAULT;
}
