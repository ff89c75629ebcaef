import { byId, make, replace, reveal } from "./dom.js";
import { call } from "./http.js";
import { messageView, signedView, whyView } from "./inspector-views.js";
import { onLanguage, t } from "./language.js";
import { describeRequest, SNIPPETS } from "./snippets.js";
import { codeText, isRefused } from "./timeline.js";
import { shortTime, timeOfDay } from "./times.js";

const TABS = ["exchange", "signed", "snippet"];

/** One call: what was sent and answered, what was signed, and the same call in other languages. */
export function createInspector({ rules, opened, behind }) {
  let detail;
  let snippet = Object.keys(SNIPPETS)[0];
  let tab = TABS[0];
  let wanted;

  /** `focus`: the person asked for this call, so the page goes there. */
  async function open(id, { focus = true } = {}) {
    wanted = id;
    opened(id);
    await load(id);
    if (focus && matchMedia("(max-width: 75rem)").matches) reveal(byId("inspector"));
  }

  async function load(id) {
    const { status, answer } = await call(`/sandbox/calls/${id}`);
    // Another call may have been opened meanwhile.
    if (wanted !== id) return;
    detail = status === 200 ? answer : undefined;
    show();
  }

  function show() {
    byId("inspector-empty").hidden = detail !== undefined;
    byId("inspected").hidden = detail === undefined;
    if (!detail) return;
    const { call: inspected, request, answer, signed, breaches } = detail;
    const { endpoint, startedAt, endedAt, caller } = inspected;
    byId("inspected-name").textContent = t(`lane_${endpoint}`);
    const took = endedAt === undefined ? t("call_open") : shortTime(endedAt - startedAt);
    byId("inspected-facts").textContent = [
      codeText(inspected),
      took,
      timeOfDay(startedAt),
      t("from", { caller }),
    ].join(" · ");
    byId("inspected-facts").classList.toggle("refused", isRefused(inspected));
    replace(byId("inspected-why"), ...whyView({ call: inspected, answer, breaches, rules }));
    replace(byId("inspected-request"), ...messageView("sent", request));
    replace(byId("inspected-answer"), ...messageView("got", answer, inspected));
    replace(byId("inspected-behind"), ...behind(inspected.id).map(behindRow));
    byId("behind").hidden = behind(inspected.id).length === 0;
    replace(byId("inspected-signed"), ...signedView(signed));
    showTabs();
    showSnippet();
  }

  function behindRow(step) {
    return make(
      "li",
      {},
      make(
        "button",
        {
          type: "button",
          "data-key": `behind-${step.id}`,
          class: isRefused(step) ? "refused" : undefined,
          onclick: () => open(step.id),
        },
        make("span", {}, t(`lane_${step.endpoint}`)),
        make("span", {}, codeText(step)),
      ),
    );
  }

  function showTabs() {
    const shown = tab === "signed" && !detail.signed ? TABS[0] : tab;
    byId("tab-signed").hidden = !detail.signed;
    for (const name of TABS) {
      const selected = name === shown;
      byId(`tab-${name}`).setAttribute("aria-selected", String(selected));
      byId(`tab-${name}`).tabIndex = selected ? 0 : -1;
      byId(`panel-${name}`).hidden = !selected;
    }
  }

  function showSnippet() {
    const request = describeRequest(detail.request, location.origin);
    byId("snippet").textContent = SNIPPETS[snippet](request);
    byId("snippet-cut").hidden = detail.request.length <= detail.request.body.length;
    for (const button of byId("snippet-languages").children) {
      button.setAttribute("aria-pressed", String(button.textContent === snippet));
    }
  }

  for (const name of TABS) {
    byId(`tab-${name}`).addEventListener("click", () => {
      tab = name;
      showTabs();
    });
    byId(`tab-${name}`).addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const there = TABS.filter((each) => !byId(`tab-${each}`).hidden);
      tab = there.at((there.indexOf(name) + step) % there.length);
      showTabs();
      byId(`tab-${tab}`).focus();
    });
  }
  for (const name of Object.keys(SNIPPETS)) {
    const choose = () => {
      snippet = name;
      showSnippet();
    };
    byId("snippet-languages").append(make("button", { type: "button", onclick: choose }, name));
  }
  byId("copy-snippet").addEventListener("click", () => copy(byId("snippet").textContent, byId("copied")));
  onLanguage(show);

  return {
    open,
    /** Looks again at a call that was under way. */
    refresh: () => (detail && detail.call.endedAt === undefined ? load(detail.call.id) : undefined),
    close() {
      detail = undefined;
      wanted = undefined;
      show();
    },
  };
}

/** Copies a text and says so, or why not. */
export async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = t("copied");
  } catch {
    // Browsers allow it on localhost and HTTPS only.
    said.textContent = t("copy_by_hand");
  }
}
