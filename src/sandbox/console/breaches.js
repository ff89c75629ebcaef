import { byId, make, replace, setUsable } from "./dom.js";
import { breachText, causeText } from "./inspector-views.js";
import { t } from "./language.js";
import { timeOfDay } from "./times.js";

/** The vendor's rules that were broken, each a way to the call that did it. */
export function createBreaches({ rules, open }) {
  function item({ rule, at, detail, caller, call, cause }) {
    const why = causeText(cause);
    return make(
      "li",
      { "data-rule": rule, "data-cause": cause },
      make("p", {}, breachText({ rule, detail }, rules)),
      why && make("p", { class: "cause" }, why),
      make(
        "p",
        { class: "hint" },
        make("code", {}, rule),
        ` · ${timeOfDay(at)} · ${t("from", { caller })} `,
        make(
          "button",
          { type: "button", class: "link", "data-key": `breach-${call}-${rule}`, onclick: () => open(call) },
          t("show_call"),
        ),
      ),
    );
  }

  return {
    show({ breaches }) {
      const none = make("li", { class: "empty good" }, t("breaches_all_well"));
      replace(byId("breach-list"), ...(breaches.length > 0 ? [...breaches].reverse().map(item) : [none]));
      setUsable(byId("clear-breaches"), breaches.length > 0);
    },
  };
}
