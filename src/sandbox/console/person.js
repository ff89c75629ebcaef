import { byId, make } from "./dom.js";
import { language, onLanguage, t } from "./language.js";

/** Who is verified, and how it ends: case, name, ID number, outcome of the SDK. */
export function createPerson({ scenarios }) {
  const firstIdNo = scenarios[0]?.idNo ?? "";

  function fillSelects() {
    const keep = { magic: byId("magic").value, outcome: byId("outcome").value };
    byId("magic").replaceChildren(
      make("option", { value: "" }, t("magic_own")),
      ...scenarios.map((each) => make("option", { value: each.idNo }, scenarioLabel(each))),
    );
    byId("outcome").replaceChildren(
      make("option", { value: "" }, t("outcome_by_id")),
      ...scenarios
        .filter(({ at }) => at === "query")
        .map((each) => make("option", { value: each.name }, scenarioLabel(each))),
    );
    byId("magic").value = keep.magic;
    byId("outcome").value = keep.outcome;
  }

  function choose(idNo) {
    byId("magic").value = idNo;
    byId("id_no").value = idNo;
  }

  byId("magic").addEventListener("change", ({ target }) => {
    // The last case's number would not be the person's own.
    byId("id_no").value = target.value;
    if (target.value === "") byId("id_no").focus();
  });
  byId("id_no").addEventListener("input", ({ target }) => {
    byId("magic").value = scenarios.some(({ idNo }) => idNo === target.value) ? target.value : "";
  });
  onLanguage(fillSelects);
  fillSelects();
  choose(firstIdNo);

  return {
    form: () => ({ name: byId("name").value, id_no: byId("id_no").value }),
    outcome: () => byId("outcome").value,
    /** The name of the case; undefined for a number of one's own. */
    scenario: () => scenarios.find(({ idNo }) => idNo === byId("magic").value)?.name,
    set({ scenario, name, idNo, outcome }) {
      const chosen = idNo ?? scenarios.find((each) => each.name === scenario)?.idNo;
      if (chosen !== undefined) {
        byId("id_no").value = chosen;
        byId("magic").value = scenarios.some((each) => each.idNo === chosen) ? chosen : "";
      }
      if (name !== undefined) byId("name").value = name;
      if (outcome !== undefined) byId("outcome").value = outcome;
    },
    reset() {
      byId("name").value = byId("name").defaultValue;
      byId("outcome").value = "";
      choose(firstIdNo);
    },
  };
}

/** A case by its description and its code. */
function scenarioLabel(scenario) {
  return t("scenario_label", { text: scenarioText(scenario), code: scenario.code });
}

/** A case by its description. */
export const scenarioText = ({ zh, en }) =>
  language() === "zh" ? zh : en.charAt(0).toUpperCase() + en.slice(1);
