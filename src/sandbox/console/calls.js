import { byId, make, replace } from "./dom.js";
import { t } from "./language.js";
import { codeText, isRefused } from "./timeline.js";
import { shortTime, timeOfDay } from "./times.js";

/** How many calls the table lists. */
const MOST_ROWS = 30;

/** The latest calls, whether they belong to an attempt or not. */
export function createCalls({ open }) {
  function row(call) {
    const { id, startedAt, endedAt, endpoint } = call;
    const attributes = { type: "button", class: "link", "data-key": `row-${id}`, onclick: () => open(id) };
    return make(
      "tr",
      isRefused(call) ? { class: "refused" } : {},
      make("td", {}, timeOfDay(startedAt)),
      make("td", {}, make("button", attributes, t(`lane_${endpoint}`))),
      make("td", {}, endedAt === undefined ? t("call_open") : shortTime(endedAt - startedAt)),
      make("td", {}, codeText(call)),
    );
  }

  return {
    show: ({ calls }) => replace(byId("calls"), ...calls.slice(-MOST_ROWS).reverse().map(row)),
  };
}
