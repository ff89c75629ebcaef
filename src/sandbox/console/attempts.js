import { byId, make, replace } from "./dom.js";
import { onLanguage, t } from "./language.js";
import { markOf, verdictKind } from "./notices.js";
import { scenarioText } from "./person.js";
import { codeText, isRefused } from "./timeline.js";
import { clockTime, shortTime, timeOfDay } from "./times.js";
import { placeSteps } from "./waterfall.js";

/** The history of attempts, and the calls of the one that is chosen. */
export function createAttempts({ scenarios, open }) {
  let attempts = [];
  let breaches = [];
  /** The attempt that is shown; undefined follows the newest. */
  let chosen;
  let chosenCall;

  const shown = () => attempts.find(({ id }) => id === chosen) ?? attempts[0];
  const callsOf = ({ steps }) => steps.flatMap((step) => [step, ...step.behind]);

  function choose(id) {
    chosen = id;
    const attempt = shown();
    show();
    if (attempt) open(attempt.steps[0].id);
  }

  function show() {
    const attempt = shown();
    replace(byId("history"), ...attempts.map((each) => historyItem(each, each === attempt)));
    for (const id of ["history-empty", "attempt-empty"]) byId(id).hidden = attempts.length > 0;
    for (const id of ["attempt-tools", "waterfall"]) byId(id).hidden = !attempt;
    if (!attempt) return;
    byId("attempt-order").textContent = attempt.orderNo ?? t("no_order");
    replace(byId("waterfall"), ...placeSteps(attempt.steps).map((row) => waterfallRow(row, attempt)));
  }

  function historyItem(attempt, isShown) {
    const { id, scenario, verdict, startedAt, steps } = attempt;
    const known = scenarios.find(({ name }) => name === scenario);
    const kind = verdictKind(verdict) ?? (isRefused(steps.at(-1)) ? "ERROR" : "");
    const word = kind && t(kind === "ERROR" ? "refused" : `verdict_${kind}`);
    return make(
      "li",
      {},
      make(
        "button",
        {
          type: "button",
          "data-key": `attempt-${id}`,
          "data-attempt": id,
          "data-verdict": kind,
          "aria-current": isShown ? "true" : undefined,
          title: known && scenarioText(known),
          onclick: () => choose(id),
        },
        make("span", { class: "mark", "aria-hidden": "true" }, markOf(kind)),
        make("span", { class: "when" }, timeOfDay(startedAt)),
        make("span", { class: "what" }, word || underWay(known)),
      ),
    );
  }

  const underWay = (known) => [t("state_CREATED"), known && scenarioText(known)].filter(Boolean).join(" · ");

  function waterfallRow({ step, depth, left, width, gapMs }, attempt) {
    const { id, endpoint, startedAt, endedAt, msg } = step;
    const refused = isRefused(step);
    const broken = breaches.filter(({ call }) => call === id).map(({ rule }) => rule);
    const bar = make("i", { class: "bar" });
    bar.style.left = `${left}%`;
    bar.style.width = `${width}%`;
    const why = [...broken, ...(refused && msg ? [msg] : [])].join(" · ");
    return make(
      "li",
      { class: depth > 0 ? "behind" : "step-row" },
      gapMs > 1000 && make("p", { class: "gap" }, t("later", { time: clockTime(gapMs) })),
      make(
        "button",
        {
          type: "button",
          class: refused || broken.length > 0 ? "refused" : undefined,
          "data-key": `call-${id}`,
          "data-call": id,
          "data-endpoint": endpoint,
          "aria-current": id === chosenCall ? "true" : undefined,
          title: t("since_start", { time: shortTime(startedAt - attempt.startedAt) }),
          onclick: () => open(id),
        },
        make("span", { class: "what" }, t(`lane_${endpoint}`)),
        make("span", { class: "track", "aria-hidden": "true" }, bar),
        make("span", { class: "took" }, endedAt === undefined ? "…" : shortTime(endedAt - startedAt)),
        make("span", { class: "code" }, codeText(step)),
        why && make("span", { class: "why" }, why),
      ),
    );
  }

  onLanguage(show);
  return {
    show(next, picture) {
      attempts = next ?? [];
      breaches = picture.breaches;
      show();
    },
    /** Follows the newest attempt; opens its latest step. */
    newest() {
      chosen = undefined;
      const step = shown()?.steps.at(-1);
      if (step) open(step.id, { focus: false });
    },
    /** The attempt that a call belongs to, if any, becomes the one that is shown. */
    reveal(callId) {
      chosenCall = callId;
      const attempt = attempts.find((each) => callsOf(each).some(({ id }) => id === callId));
      if (attempt) chosen = attempt.id;
      show();
    },
    /** The attempt shown. */
    current: shown,
    /** The calls behind a step. */
    behind: (id) => attempts.flatMap(({ steps }) => steps).find((step) => step.id === id)?.behind ?? [],
  };
}
