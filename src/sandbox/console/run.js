import { launchOf, SDK_NAMES } from "./answers.js";
import { busy, byId, isUsable, make, replace, reveal, setUsable } from "./dom.js";
import { call } from "./http.js";
import { hasText, language, onLanguage, t } from "./language.js";
import { errorNotice, sdkNotice, verdictNotice } from "./notices.js";
import { clockTime } from "./times.js";

const FIELDS = ["name", "id_no"];
const BUTTONS = ["launch", "play", "kill", "read"];

/** The way an app goes: parameters, SDK, verdict. Every button follows from this state, in `show`. */
export function createRun({ person, sandboxNow, changed }) {
  let hasBackend = false;
  /** Whether one of the steps is under way. */
  let working = false;
  /** The launch parameters, and the sandbox time when they came. */
  let launch;
  let launchedAt = 0;
  /** The answers of the three steps. */
  let launched;
  let played;
  let result;
  /** Whether the app ended after the capture. */
  let killed = false;

  function forget() {
    launch = undefined;
    launched = undefined;
    played = undefined;
    result = undefined;
    killed = false;
    show();
  }

  function usable(id) {
    return hasBackend && !working && (id === "launch" || launch !== undefined);
  }

  function show() {
    for (const id of BUTTONS) setUsable(byId(id), usable(id));
    byId("parameters").hidden = !launch;
    if (launch) replace(byId("parameter-list"), ...Object.entries(SDK_NAMES).flatMap(parameterRow));
    showFaults(launched?.answer ?? {});
    replace(byId("launch-error"), launched && !launch && !killed && errorNotice("error_launch", launched));
    replace(byId("sdk-answer"), played && sdkNotice(played));
    const waiting = make("p", { class: "empty" }, t(killed ? "app_killed" : "no_verdict_yet"));
    replace(byId("verdict"), result ? verdictNotice(result) : waiting);
    tick();
  }

  /** Runs one step; no other starts meanwhile, and the pressed button keeps the focus. */
  async function step(id, work) {
    if (!isUsable(byId(id))) return;
    await busy(byId(id), async () => {
      working = true;
      show();
      try {
        await work();
      } finally {
        working = false;
        show();
      }
    });
  }

  async function getParameters() {
    forget();
    const form = person.form();
    launched = await call("/get_face_params", { method: "POST", form, language: language() });
    launch = launchOf(launched);
    launchedAt = sandboxNow();
    await changed("newest");
  }

  async function playSdk() {
    const outcome = person.outcome();
    const { lifeMs: _, ...parameters } = launch;
    played = await call("/sdk/verify", {
      method: "POST",
      json: { ...parameters, ...(outcome && { outcome }) },
    });
  }

  async function readVerdict() {
    const form = { order_no: launch.order_no };
    result = await call("/get_result", { method: "POST", form, language: language() });
    await changed("newest");
  }

  const act = {
    launch: () => step("launch", getParameters),
    play: () =>
      step("play", async () => {
        await playSdk();
        await readVerdict();
      }),
    /** The capture ends, and the app is gone: nobody reads the verdict. */
    kill: () =>
      step("kill", async () => {
        await playSdk();
        launch = undefined;
        killed = true;
        await changed("newest");
      }),
    read: () => step("read", readVerdict),
  };

  async function startAttempt(event) {
    event?.preventDefault();
    await act.launch();
    const wrong = FIELDS.map(byId).find((field) => field.getAttribute("aria-invalid") === "true");
    if (launch) byId("play").focus();
    else wrong?.focus();
  }

  async function playToTheEnd(event) {
    event?.preventDefault();
    await act.play();
    reveal(byId("verdict"));
  }

  byId("person").addEventListener("submit", startAttempt);
  byId("sdk").addEventListener("submit", playToTheEnd);
  byId("kill").addEventListener("click", async () => {
    await act.kill();
    byId("launch").focus();
  });
  byId("read").addEventListener("click", async () => {
    await act.read();
    reveal(byId("verdict"));
  });
  onLanguage(show);

  function showFaults({ fields }) {
    for (const id of FIELDS) {
      const fault = Array.isArray(fields) ? fields.find(({ field }) => field === id) : undefined;
      byId(id).setAttribute("aria-invalid", String(fault !== undefined));
      byId(`${id}-fault`).hidden = fault === undefined;
      byId(`${id}-fault`).textContent = fault ? ruleText(fault.rule) : "";
    }
  }

  function parameterRow([field, sdkName]) {
    return [
      make("dt", {}, make("code", {}, field), " ", make("span", { class: "sdk-name" }, `→ ${sdkName}`)),
      make("dd", {}, launch[field] === "" ? make("span", { class: "empty" }, t("empty")) : launch[field]),
    ];
  }

  /** What is left to start the SDK, on the sandbox's clock, so that a turned clock counts. */
  function tick() {
    if (!launch) return;
    const { lifeMs } = launch;
    const left = lifeMs === undefined ? undefined : Math.max(0, lifeMs - (sandboxNow() - launchedAt));
    byId("countdown").textContent = played
      ? t("countdown_used")
      : left === undefined
        ? t("countdown_unknown")
        : left === 0
          ? t("countdown_over")
          : t("countdown", { time: clockTime(left) });
    byId("countdown").classList.toggle("over", left === 0 && !played);
    byId("countdown-bar").value = played || left === undefined ? 0 : left / lifeMs;
  }

  return {
    tick,
    show(backend) {
      hasBackend = Boolean(backend.url);
      byId("no-backend").hidden = hasBackend;
      show();
    },
    /** One attempt again, with the values that are in the form. */
    async repeat() {
      await startAttempt();
      if (launch) await playToTheEnd();
    },
    reset: forget,
  };
}

/** A broken rule in words. */
function ruleText(rule) {
  return hasText(`rule_${rule}`) ? t(`rule_${rule}`) : t("field_fault", { rule });
}
