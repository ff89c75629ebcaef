import { busy, byId, make, replace, setUsable } from "./dom.js";
import { call } from "./http.js";
import { onLanguage, t } from "./language.js";
import { clockTime, shortTime } from "./times.js";

const ENDPOINTS = ["any", "access_token", "sign_ticket", "nonce_ticket", "upload", "query", "sdk_verify"];
const KINDS = ["status", "reset", "lost_reply", "truncate", "html", "code", "delay", "slow_reply", "late"];

const where = (endpoint) => t(endpoint === "any" ? "endpoint_any" : `lane_${endpoint}`);

/** What turns the clock and makes trouble. */
export function createControls({ changed }) {
  /** Whether the backend is the sandbox's own service, which runs on its clock. */
  let ownBackend = false;

  /** Does it, and says what to expect. */
  async function act(button, path, { method = "POST", json = {}, said }) {
    await busy(button, async () => {
      const { status, answer } = await call(path, { method, json });
      say(status === 200 ? said : t("said_refused", { msg: answer.msg ?? t("no_answer") }));
      await changed();
    });
  }

  for (const button of document.querySelectorAll("[data-advance]")) {
    const ms = Number(button.dataset.advance);
    button.addEventListener("click", () => {
      const hint = t(ownBackend ? "clock_hint_shared" : "clock_hint_own");
      const said = `${t("said_advance", { time: clockTime(ms) })} ${hint}`;
      return act(button, "/sandbox/clock", { json: { advance_ms: ms }, said });
    });
  }
  for (const [id, path] of [
    ["revoke", "/sandbox/revoke"],
    ["rotate", "/sandbox/rotate"],
    ["drop", "/sandbox/backend/drop_store"],
  ]) {
    byId(id).addEventListener("click", ({ currentTarget }) =>
      currentTarget.getAttribute("aria-disabled") === "true"
        ? say(t("drop_unavailable"))
        : act(currentTarget, path, { said: t(`said_${id}`) }),
    );
  }
  byId("latency").addEventListener("change", ({ target }) => {
    const ms = Number(target.value);
    const said = t("said_latency", { time: shortTime(ms) });
    return act(target, "/sandbox/latency", { json: { latency_ms: ms }, said });
  });
  byId("clear-breaches").addEventListener("click", ({ currentTarget }) =>
    act(currentTarget, "/sandbox/breaches", { method: "DELETE", said: t("said_cleared") }),
  );
  byId("fault").addEventListener("submit", (event) => {
    event.preventDefault();
    const [endpoint, kind] = [byId("fault-endpoint").value, byId("fault-kind").value];
    const times = byId("fault-times").valueAsNumber || 1;
    const said = t("said_fault", { where: where(endpoint), kind: t(`kind_${kind}`) });
    return act(byId("fault-add"), "/sandbox/faults", { json: { endpoint, kind, times }, said });
  });

  onLanguage(() => {
    fillSelect("fault-endpoint", ENDPOINTS, where);
    fillSelect("fault-kind", KINDS, (name) => t(`kind_${name}`));
    say("");
  });

  function faultItem({ id, endpoint, kind, times }) {
    const left = t("fault_left", { n: times ?? "∞" });
    const remove = ({ currentTarget }) =>
      act(currentTarget, `/sandbox/faults/${id}`, { method: "DELETE", said: t("said_removed") });
    const attributes = { type: "button", class: "link", "data-key": `fault-${id}`, onclick: remove };
    return make(
      "li",
      { "data-fault": id },
      make("span", {}, `${where(endpoint)} · ${t(`kind_${kind}`)} · ${left}`),
      make("button", attributes, t("fault_remove")),
    );
  }

  return {
    show({ faults, latencyMs }, backend) {
      ownBackend = typeof backend.refresh_interval_ms === "number";
      setUsable(byId("drop"), backend.can_drop_store === true);
      if (document.activeElement !== byId("latency")) showLatency(latencyMs);
      replace(byId("fault-list"), ...faults.map(faultItem));
    },
  };
}

/** What the last button did, and what to expect. */
export function say(text) {
  byId("said").textContent = text;
}

/** A latency that another program has set is an option, too. */
function showLatency(ms) {
  const select = byId("latency");
  if (![...select.options].some(({ value }) => value === String(ms)))
    select.append(make("option", { value: ms }, shortTime(ms)));
  select.value = String(ms);
}

function fillSelect(id, names, label) {
  const select = byId(id);
  const { value } = select;
  select.replaceChildren(...names.map((name) => make("option", { value: name }, label(name))));
  select.value = value || names[0];
}
