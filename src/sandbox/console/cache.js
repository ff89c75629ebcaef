import { byId, make, replace } from "./dom.js";
import { clockTime, shortTime, t } from "./texts.js";
import { drawTimeline, isRefused } from "./timeline.js";

/** How many calls the table lists. */
const MOST_ROWS = 12;

/** The live picture of tokens, tickets and calls. */
export function createCache(sandboxNow) {
  let windowMs = 120_000;
  let shown;

  for (const button of document.querySelectorAll("[data-window]")) {
    button.addEventListener("click", () => {
      windowMs = Number(button.dataset.window);
      if (shown) show(...shown);
    });
  }
  addEventListener("resize", () => shown && show(...shown));

  function show(picture, backend) {
    shown = [picture, backend];
    const now = sandboxNow();
    for (const button of document.querySelectorAll("[data-window]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.window) === windowMs));
    }
    replace(byId("metrics"), ...metrics(picture, backend, now));
    drawTimeline(byId("timeline"), picture, now, windowMs);
    replace(byId("calls"), ...picture.calls.slice(-MOST_ROWS).reverse().map(callRow));
    showStatus(backend.tickets);
  }

  return {
    show,
    lost() {
      replace(byId("metrics"), make("p", { class: "note" }, t("lost")));
    },
  };
}

function metrics({ tokens, calls }, backend, now) {
  const [current, previous] = tokens;
  const state = current?.foreign ? "foreign" : current && now < current.expiresAt ? "alive" : "dead";
  // The newest that the backend itself holds: that is the one it renews.
  const own = tokens.find(({ foreign }) => !foreign);
  const entries = [
    ["generation", current ? `#${current.generation}` : t("generation_none"), current && t(state)],
    ["age", current ? clockTime(now - current.issuedAt) : "–"],
    ["next_refresh", nextRefresh(own, backend, now)],
    [
      "old_token",
      previous && now < previous.expiresAt
        ? t("old_left", { time: clockTime(previous.expiresAt - now) })
        : previous
          ? t("old_gone")
          : "–",
    ],
    ["callers", ...callers(calls)],
    ...(backend.ready
      ? [
          [
            "ready",
            t(backend.ready.status === "ok" ? "ready_yes" : "ready_no"),
            backend.ready.status === "ok" ? undefined : backend.ready.reason,
          ],
        ]
      : []),
  ];
  return entries.map(([key, value, more]) =>
    make(
      "div",
      { "data-metric": key },
      make("dt", {}, t(key)),
      make("dd", {}, value, ...(more ? [" ", make("small", {}, more)] : [])),
    ),
  );
}

function nextRefresh(own, backend, now) {
  if (!own) return "–";
  if (now >= own.expiresAt) return t("next_on_demand");
  // The service knows best; others have an interval, or say nothing.
  const told = Number.parseFloat(backend.tickets?.refreshIn) * 1000;
  if (told > 0) return clockTime(told);
  if (backend.refresh_interval_ms === null || backend.refresh_interval_ms === undefined)
    return t("next_unknown");
  const left = own.issuedAt + backend.refresh_interval_ms - now;
  return left > 0 ? `≈ ${clockTime(left)}` : t("next_soon");
}

/** Who has called: names as given, or hosts, and over how many connections. */
function callers(calls) {
  const connections = new Map();
  for (const { caller, endpoint } of calls) {
    if (endpoint === "sdk_verify") continue;
    const host = caller.replace(/:\d+$/, "");
    connections.set(host, (connections.get(host) ?? new Set()).add(caller));
  }
  if (connections.size === 0) return [t("callers_none")];
  const all = [...connections.values()].reduce((sum, each) => sum + each.size, 0);
  return [[...connections.keys()].join(", "), t("connections", { n: all })];
}

function callRow(call) {
  const { startedAt, endedAt, endpoint, fault } = call;
  return make(
    "tr",
    isRefused(call) ? { class: "refused" } : {},
    make("td", {}, new Date(startedAt).toLocaleTimeString("en-GB")),
    make("td", {}, t(`lane_${endpoint}`)),
    make("td", {}, endedAt === undefined ? t("call_open") : shortTime(endedAt - startedAt)),
    make("td", {}, [call.code, fault && t(`kind_${fault}`)].filter(Boolean).join(" · ") || "–"),
  );
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
