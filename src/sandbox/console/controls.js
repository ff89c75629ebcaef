import { byId, call, make, replace } from "./dom.js";
import { clockTime, language, onLanguage, shortTime, t } from "./texts.js";

const ENDPOINTS = ["any", "access_token", "sign_ticket", "nonce_ticket", "upload", "query"];
const KINDS = ["status", "reset", "lost_reply", "truncate", "html", "code", "delay", "slow_reply", "late"];

/** What turns the clock and makes trouble. */
export function createControls({ rules, changed }) {
  /** Does it, and says what to expect. */
  async function act(path, { method = "POST", json = {}, said }) {
    const { status, answer } = await call(path, { method, json });
    byId("said").textContent =
      status === 200 ? said : t("said_refused", { msg: answer.msg ?? t("no_answer") });
    await changed();
  }

  for (const button of document.querySelectorAll("[data-advance]")) {
    button.addEventListener("click", () => {
      const ms = Number(button.dataset.advance);
      return act("/sandbox/clock", {
        json: { advance_ms: ms },
        said: t("said_advance", { time: clockTime(ms) }),
      });
    });
  }
  byId("revoke").addEventListener("click", () => act("/sandbox/revoke", { said: t("said_revoke") }));
  byId("rotate").addEventListener("click", () => act("/sandbox/rotate", { said: t("said_rotate") }));
  byId("drop").addEventListener("click", () => act("/sandbox/backend/drop_store", { said: t("said_drop") }));
  byId("latency").addEventListener("change", (event) => {
    const ms = Number(event.target.value);
    return act("/sandbox/latency", {
      json: { latency_ms: ms },
      said: t("said_latency", { time: shortTime(ms) }),
    });
  });
  byId("clear-breaches").addEventListener("click", () =>
    act("/sandbox/breaches", { method: "DELETE", said: "" }),
  );
  byId("fault").addEventListener("submit", (event) => {
    event.preventDefault();
    const kind = byId("fault-kind").value;
    const json = {
      endpoint: byId("fault-endpoint").value,
      kind,
      times: byId("fault-times").valueAsNumber || 1,
    };
    return act("/sandbox/faults", { json, said: t("said_fault", { kind: t(`kind_${kind}`) }) });
  });

  onLanguage(() => {
    fillSelect("fault-endpoint", ENDPOINTS, (name) => t(name === "any" ? "endpoint_any" : `lane_${name}`));
    fillSelect("fault-kind", KINDS, (name) => t(`kind_${name}`));
    byId("said").textContent = "";
  });

  function faultItem({ id, endpoint, kind, times }) {
    const where = t(endpoint === "any" ? "endpoint_any" : `lane_${endpoint}`);
    const remove = () => act(`/sandbox/faults/${id}`, { method: "DELETE", said: "" });
    return make(
      "li",
      { "data-fault": id },
      make("span", {}, `${where} · ${t(`kind_${kind}`)} · ${t("fault_left", { n: times ?? "∞" })}`),
      make("button", { type: "button", class: "small", onclick: remove }, t("fault_remove")),
    );
  }

  let faultsShown = "";
  return {
    show({ faults, breaches, latencyMs }, backend) {
      byId("clock-hint").textContent = t(backend.can_drop_store ? "clock_hint_shared" : "clock_hint_own");
      byId("drop").disabled = !backend.can_drop_store;
      byId("drop").title = backend.can_drop_store ? "" : t("drop_unavailable");
      if (document.activeElement !== byId("latency")) {
        byId("latency").value = String(latencyMs);
      }
      // Not drawn again while nothing changed: whoever stands on a button stays there.
      const faultsNow = JSON.stringify([faults, t("fault_remove")]);
      if (faultsNow !== faultsShown) {
        faultsShown = faultsNow;
        const none = make("li", { class: "empty" }, t("fault_none"));
        byId("fault-list").replaceChildren(...(faults.length > 0 ? faults.map(faultItem) : [none]));
      }
      const none = make("li", { class: "empty good" }, t("breaches_none"));
      replace(
        byId("breach-list"),
        ...(breaches.length > 0
          ? [...breaches].reverse().map((breach) => breachItem(breach, rules))
          : [none]),
      );
      byId("clear-breaches").disabled = breaches.length === 0;
    },
  };
}

function breachItem({ rule, at, detail, caller }, rules) {
  const text = language() === "zh" ? (rules[rule]?.zh ?? detail) : detail;
  return make(
    "li",
    {},
    make("span", {}, make("code", {}, rule), ` ${text}`),
    make("small", {}, `${new Date(at).toLocaleTimeString("en-GB")} · ${caller}`),
  );
}

function fillSelect(id, names, label) {
  const select = byId(id);
  const { value } = select;
  select.replaceChildren(...names.map((name) => make("option", { value: name }, label(name))));
  select.value = value || names[0];
}
