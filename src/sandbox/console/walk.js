import { byId, call, make, replace } from "./dom.js";
import { clockTime, language, onLanguage, t } from "./texts.js";

/** What the SDK calls our fields (Android; uni-app plug-ins mostly the same). */
const SDK_NAMES = {
  face_id: "faceId",
  order_no: "agreementNo",
  app_id: "openApiAppId",
  version: "openApiAppVersion",
  nonce: "openApiNonce",
  user_id: "openApiUserId",
  sign: "openApiSign",
  licence: "keyLicence",
};
const NOTICE_MARKS = { PASSED: "✓", FAILED: "✕", INCONCLUSIVE: "?", NOT_COMPLETED: "–", ERROR: "!" };

/** The way an app goes: parameters, SDK, verdict. */
export function createWalk({ scenarios, sandboxNow, changed }) {
  /** The launch under way: its parameters, and the sandbox time when they came. */
  let launch;
  let launchedAt = 0;
  let sdkAnswer;
  let result;
  let killed = false;

  function showScenarios() {
    const label = ({ zh, en, code }) => `${language() === "zh" ? zh : capital(en)} · ${code}`;
    const keep = { magic: byId("magic").value, outcome: byId("outcome").value };
    byId("magic").replaceChildren(
      make("option", { value: "" }, t("magic_own")),
      ...scenarios.map((each) => make("option", { value: each.idNo }, label(each))),
    );
    byId("outcome").replaceChildren(
      make("option", { value: "" }, t("outcome_by_id")),
      ...scenarios
        .filter(({ at }) => at === "query")
        .map((each) => make("option", { value: each.name }, label(each))),
    );
    byId("magic").value = keep.magic || (byId("id_no").value === "" ? scenarios[0]?.idNo : "");
    byId("outcome").value = keep.outcome;
    if (byId("id_no").value === "") byId("id_no").value = byId("magic").value;
  }

  function showWire(id, path, { status, tookMs }) {
    byId(id).textContent = `POST ${path} → ${status || t("no_answer")} · ${Math.round(tookMs)} ms`;
  }

  async function getParameters(event) {
    event.preventDefault();
    const form = { name: byId("name").value, id_no: byId("id_no").value };
    const answered = await busy("launch", () =>
      call("/get_face_params", { method: "POST", form, language: language() }),
    );
    const { answer } = answered;
    showWire("launch-wire", "/get_face_params", answered);
    sdkAnswer = undefined;
    result = undefined;
    killed = false;
    for (const wire of ["sdk-wire", "result-wire"]) byId(wire).textContent = "";
    await changed();
    launch = answer.code === "0" ? answer.result : undefined;
    launchedAt = sandboxNow();
    showFaults(answer);
    replace(byId("launch-error"), ...(launch ? [] : [errorNotice(answered)]));
    showLaunch();
    if (launch) byId("play").focus();
  }

  function showFaults({ fields = [] }) {
    for (const id of ["name", "id_no"]) {
      const fault = fields.find(({ field }) => field === id);
      byId(id).setAttribute("aria-invalid", String(fault !== undefined));
      byId(`${id}-fault`).hidden = fault === undefined;
      byId(`${id}-fault`).textContent = fault ? ruleText(fault.rule) : "";
    }
  }

  async function play(event) {
    event.preventDefault();
    await playSdk("play");
    await readVerdict();
  }

  async function playSdk(button) {
    const outcome = byId("outcome").value;
    const answered = await busy(button, () =>
      call("/sdk/verify", { method: "POST", json: { ...launch, ...(outcome && { outcome }) } }),
    );
    showWire("sdk-wire", "/sdk/verify", answered);
    sdkAnswer = answered.answer;
  }

  /** The capture ends, and the app is gone: nobody reads the verdict. */
  async function kill() {
    await playSdk("kill");
    launch = undefined;
    killed = true;
    showLaunch();
    byId("orders").scrollIntoView({ block: "nearest" });
    await changed();
  }

  async function readVerdict() {
    const form = { order_no: launch.order_no };
    result = await busy("read", () => call("/get_result", { method: "POST", form, language: language() }));
    showWire("result-wire", "/get_result", result);
    showLaunch();
    // On a phone it would be below the edge.
    byId("verdict").scrollIntoView({ block: "nearest" });
    await changed();
  }

  function showLaunch() {
    byId("parameters").hidden = !launch;
    byId("sdk").setAttribute("aria-disabled", String(!launch));
    byId("read").disabled = !launch;
    if (launch) replace(byId("parameter-list"), ...Object.entries(SDK_NAMES).flatMap(parameterRow));
    replace(byId("sdk-answer"), ...(sdkAnswer ? [sdkNotice(sdkAnswer)] : []));
    replace(
      byId("verdict"),
      ...(result
        ? [verdictNotice(result)]
        : [make("p", { class: "empty" }, t(killed ? "app_killed" : "no_verdict_yet"))]),
    );
    tick();
  }

  function parameterRow([field, sdkName]) {
    return [
      make("dt", {}, make("code", {}, field), " ", make("span", { class: "sdk-name" }, `→ ${sdkName}`)),
      make("dd", {}, launch[field] === "" ? make("span", { class: "empty" }, t("empty")) : launch[field]),
    ];
  }

  /** What is left until `start_before`, on the sandbox's clock, so that a turned clock counts. */
  function leftMs() {
    const life = Date.parse(launch.start_before) - Date.parse(launch.server_time);
    return { life, left: Math.max(0, life - (sandboxNow() - launchedAt)) };
  }

  function tick() {
    for (const id of ["play", "kill"]) byId(id).disabled = !launch;
    if (!launch) return;
    const { life, left } = leftMs();
    const over = left === 0;
    byId("countdown").textContent = sdkAnswer
      ? t("countdown_used")
      : over
        ? t("countdown_over")
        : t("countdown", { time: clockTime(left) });
    byId("countdown").classList.toggle("over", over && !sdkAnswer);
    byId("countdown-bar").value = sdkAnswer ? 0 : left / life;
  }

  byId("person").addEventListener("submit", getParameters);
  byId("sdk").addEventListener("submit", play);
  byId("kill").addEventListener("click", kill);
  byId("read").addEventListener("click", readVerdict);
  byId("magic").addEventListener("change", () => {
    if (byId("magic").value) byId("id_no").value = byId("magic").value;
    else byId("id_no").focus();
  });
  byId("id_no").addEventListener("input", () => {
    const magic = scenarios.find(({ idNo }) => idNo === byId("id_no").value);
    byId("magic").value = magic?.idNo ?? "";
  });
  onLanguage(() => {
    showScenarios();
    showLaunch();
  });

  return {
    tick,
    show(backend) {
      byId("no-backend").hidden = backend.url !== null;
      byId("launch").disabled = backend.url === null;
    },
  };
}

/** A broken rule in words. */
function ruleText(rule) {
  const text = t(`rule_${rule}`);
  return text === `rule_${rule}` ? t("field_fault", { rule }) : capital(text);
}

/** What the SDK told the app. It decides nothing, and says so. */
function sdkNotice({ result, code }) {
  const ok = result?.isSuccess === true;
  const { domain, code: sdkCode, desc } = result?.error ?? {};
  return make(
    "div",
    { class: "aside" },
    make(
      "p",
      {},
      make("code", {}, `isSuccess: ${ok}`),
      ...(domain ? [" ", make("code", {}, `${domain} ${sdkCode ?? code}`)] : []),
    ),
    ...(desc ? [make("p", {}, desc)] : []),
    make("p", { class: "hint" }, t("sdk_untrusted")),
  );
}

function verdictNotice(answered) {
  const { answer, status } = answered;
  if (status !== 200) return errorNotice(answered);
  const { verdict, reason, live_rate, similarity, occurred_at } = answer.result;
  return notice(verdict, t(`verdict_${verdict}`), t(`reason_${reason}`), t(`next_${reason}`), [
    ["code", answer.code],
    ["reason", reason],
    ["live_rate", live_rate],
    ["similarity", similarity],
    ["occurred_at", occurred_at],
  ]);
}

function errorNotice({ answer, status }) {
  const reason = answer.reason ?? "";
  const next = t(`error_${reason}`);
  return notice(
    "ERROR",
    t("error"),
    answer.msg ?? t("no_answer"),
    next === `error_${reason}` ? t("error_other") : next,
    [
      ["HTTP", status || undefined],
      ["code", answer.code],
      ["reason", answer.reason],
    ],
  );
}

function notice(kind, word, why, next, facts) {
  return make(
    "div",
    { class: "notice", "data-verdict": kind },
    make(
      "p",
      { class: "word" },
      make("span", { class: "mark", "aria-hidden": "true" }, NOTICE_MARKS[kind] ?? "!"),
      word,
    ),
    make("p", {}, why),
    make("p", { class: "next" }, make("strong", {}, t("next_step")), " ", next),
    make(
      "dl",
      { class: "facts" },
      ...facts
        .filter(([, value]) => value !== null && value !== undefined)
        .flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]),
    ),
  );
}

/** Keeps a button from being pressed twice. */
async function busy(id, work) {
  const button = byId(id);
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
