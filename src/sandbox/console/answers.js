/** What the SDK calls our fields (Android; uni-app plug-ins mostly the same). */
export const SDK_NAMES = {
  face_id: "faceId",
  order_no: "agreementNo",
  app_id: "openApiAppId",
  version: "openApiAppVersion",
  nonce: "openApiNonce",
  user_id: "openApiUserId",
  sign: "openApiSign",
  licence: "keyLicence",
};

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Every member of an answer and of its `result`, by its name in snake case: backends differ. */
function membersOf(answer) {
  const members = {};
  for (const [name, value] of Object.entries({ ...answer, ...(isObject(answer.result) && answer.result) })) {
    members[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
    members[name] ??= value;
  }
  return members;
}

/** Whether an answer says success: code "0", a string or, in old demos, a number. */
export const isSuccess = ({ status, answer }) => status === 200 && String(answer.code) === "0";

/**
 * The launch parameters of an answer, by our names, from `result` or the top level, in snake case, camel case or the SDK's
 * names; undefined if it has none that would start the SDK.
 */
export function launchOf(answered) {
  if (!isSuccess(answered)) return undefined;
  const members = membersOf(answered.answer);
  const launch = {};
  for (const [name, sdkName] of Object.entries(SDK_NAMES)) {
    const value = members[name] ?? members[sdkName] ?? "";
    launch[name] = typeof value === "object" ? "" : String(value);
  }
  const life = Date.parse(members.start_before) - Date.parse(members.server_time);
  return launch.order_no && launch.face_id ? { ...launch, lifeMs: life > 0 ? life : undefined } : undefined;
}

/** The verdicts of our service. */
export const VERDICTS = ["PASSED", "FAILED", "INCONCLUSIVE", "NOT_COMPLETED"];

/**
 * The verdict of an answer. A backend that is not ours may give none: then code "0" is a pass, and another code says what
 * it says; `own` tells the two apart.
 */
export function verdictOf({ status, answer }) {
  const members = membersOf(answer);
  if (VERDICTS.includes(members.verdict)) return { ...members, own: true };
  const code = answer.code === undefined ? undefined : String(answer.code);
  const verdict = status === 200 && code === "0" ? "PASSED" : undefined;
  return {
    ...members,
    verdict,
    code,
    msg: typeof answer.msg === "string" ? answer.msg : undefined,
    own: false,
  };
}
