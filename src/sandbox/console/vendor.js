import { byId, make, replace } from "./dom.js";
import { t } from "./language.js";
import { drawTimeline } from "./timeline.js";
import { clockTime } from "./times.js";

/** The live picture of tokens, tickets and calls. */
export function createVendor({ sandboxNow, open }) {
  let windowMs = 120_000;
  let shown;
  let chosen;

  for (const button of document.querySelectorAll("[data-window]")) {
    button.addEventListener("click", () => {
      windowMs = Number(button.dataset.window);
      if (shown) show(...shown);
    });
  }
  addEventListener("resize", () => shown && show(...shown));
  // For the mouse; the calls are buttons in the attempt and in the list of calls.
  byId("timeline").addEventListener("click", ({ target }) => {
    const id = target.closest("[data-call]")?.dataset.call;
    if (id) open(Number(id));
  });

  function show(picture, backend) {
    shown = [picture, backend];
    const now = sandboxNow();
    for (const button of document.querySelectorAll("[data-window]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.window) === windowMs));
    }
    replace(byId("metrics"), ...metrics(picture, backend, now));
    const refreshInMs = refreshIn(ownToken(picture), backend, now)?.leftMs;
    drawTimeline(byId("timeline"), { picture, now, windowMs, refreshInMs, chosen });
    showStatus(backend.tickets);
  }

  return {
    show,
    choose(id) {
      chosen = id;
      if (shown) show(...shown);
    },
    lost() {
      replace(byId("metrics"), make("p", { class: "note" }, t("lost")));
    },
  };
}

/** The newest token that the backend itself holds: that is the one it renews. */
const ownToken = ({ tokens }) => tokens.find(({ foreign }) => !foreign);

function metrics(picture, backend, now) {
  const { tokens, calls, breaches } = picture;
  const [current, previous] = tokens;
  const state = current?.foreign ? "foreign" : current && now < current.expiresAt ? "alive" : "dead";
  const ready = backend.ready?.status === "ok";
  const entries = [
    [
      "generation",
      current ? `#${current.generation}` : t("generation_none"),
      current && t("age_and_state", { age: clockTime(now - current.issuedAt), state: t(state) }),
    ],
    ["next_refresh", ...nextRefresh(ownToken(picture), backend, now)],
    ["old_token", ...oldToken(previous, now)],
    ["callers", ...callers(calls)],
    backend.ready && [
      "ready",
      t(ready ? "ready_yes" : "ready_no"),
      ready ? undefined : String(backend.ready.reason ?? ""),
    ],
    ["broken", String(breaches.length), t(breaches.length === 0 ? "breaches_none" : "broken_see")],
  ];
  return entries
    .filter(Boolean)
    .map(([key, value, more]) =>
      make(
        "div",
        { "data-metric": key, ...(key === "broken" && breaches.length > 0 && { class: "bad" }) },
        make("dt", {}, t(key)),
        make("dd", {}, value, more && " ", more && make("small", {}, more)),
      ),
    );
}

/** How long until the backend renews its token: the service says, others have an interval, or nothing is known. */
function refreshIn(own, backend, now) {
  if (!own || now >= own.expiresAt) return undefined;
  const leftMs = Number.parseFloat(backend.tickets?.refreshIn) * 1000;
  if (leftMs > 0) return { leftMs, exact: true };
  if (typeof backend.refresh_interval_ms !== "number") return undefined;
  return { leftMs: own.issuedAt + backend.refresh_interval_ms - now, exact: false };
}

function nextRefresh(own, backend, now) {
  if (!own) return ["–", t("next_none")];
  if (now >= own.expiresAt) return [t("next_on_demand")];
  const next = refreshIn(own, backend, now);
  if (!next) return [t("next_unknown"), t("dies_in", { time: clockTime(own.expiresAt - now) })];
  if (next.leftMs <= 0) return [t("next_soon")];
  return [
    `${next.exact ? "" : "≈ "}${clockTime(next.leftMs)}`,
    t("dies_in", { time: clockTime(own.expiresAt - now) }),
  ];
}

function oldToken(previous, now) {
  if (!previous) return ["–", t("old_none")];
  if (now >= previous.expiresAt) return [t("old_gone"), t("generation_is", { n: previous.generation })];
  return [
    t("old_left", { time: clockTime(previous.expiresAt - now) }),
    t("generation_is", { n: previous.generation }),
  ];
}

/** Who has called: names as given, or hosts, and over how many connections. */
function callers(calls) {
  const connections = new Map();
  for (const { caller, endpoint } of calls) {
    if (endpoint === "sdk_verify" || endpoint.startsWith("get_")) continue;
    const host = caller.replace(/:\d+$/, "");
    connections.set(host, (connections.get(host) ?? new Set()).add(caller));
  }
  if (connections.size === 0) return [t("callers_none")];
  const n = [...connections.values()].reduce((sum, each) => sum + each.size, 0);
  return [[...connections.keys()].join(", "), t("connections", { n })];
}

/** The service's own word, whatever it has to say: every plain value by its name. */
function showStatus(status) {
  byId("status").hidden = !status;
  if (!status) return;
  const rows = [];
  const walk = (value, path) => {
    if (typeof value === "object" && value !== null) {
      for (const [name, each] of Object.entries(value)) walk(each, path ? `${path}.${name}` : name);
    } else rows.push(make("dt", {}, make("code", {}, path)), make("dd", {}, String(value)));
  };
  walk(status, "");
  replace(byId("status-list"), ...rows);
}
