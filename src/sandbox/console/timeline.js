import { draw } from "./dom.js";
import { t } from "./language.js";
import { clockTime, shortTime } from "./times.js";

const CALL_LANES = [
  "get_face_params",
  "sdk_verify",
  "get_result",
  "upload",
  "nonce_ticket",
  "query",
  "access_token",
  "sign_ticket",
];
/** Pixels: a lane, a bar in it, and the names beside the lanes. */
const LANE = 19;
const BAR = 12;
const GUTTER = 128;
/** What outlives its successor is drawn beneath it. */
const BENEATH = 6;
const LIFE_LANE = LANE + BENEATH + 2;
const AXIS = 20;
/** How much of the width lies in the past. */
const PAST = 0.8;
/** A call is drawn at least this wide, pixels. */
const LEAST_WIDTH = 4;

/** Codes that are refusals by the vendor; the other business codes are verdicts. */
const REFUSALS = ["66660001", "66660018", "66660021", "66660030"];
const isVerdict = (code) => code.startsWith("6666") && !REFUSALS.includes(code);

/** Whether a call ended otherwise than its caller hoped. */
export function isRefused({ code, fault, status, endedAt }) {
  if (fault !== undefined || status >= 400) return true;
  return endedAt !== undefined && code !== undefined && code !== "0" && !isVerdict(code);
}

/** Draws lives of tokens and tickets, and the calls, over the last `windowMs` and a quarter of that to come. */
export function drawTimeline(svg, { picture, now, windowMs, refreshInMs, chosen }) {
  const width = Math.max(290, svg.parentElement.clientWidth);
  const height = 2 * LIFE_LANE + LANE * CALL_LANES.length + AXIS;
  const from = now - windowMs;
  const scale = ((width - GUTTER) * PAST) / windowMs;
  const x = (at) => GUTTER + (at - from) * scale;
  const frame = {
    x,
    clip: (at) => Math.min(width, Math.max(GUTTER, x(at))),
    width,
    height,
    from,
    now,
    windowMs,
  };
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  svg.setAttribute("aria-label", summary(picture));
  const bottom = height - AXIS;
  const parts = [
    hatch(),
    draw("rect", { class: "future", x: x(now), y: 0, width: width - x(now), height: bottom }),
    ...grid(frame),
  ];
  let y = 0;
  for (const [name, spans] of [
    ["token", picture.tokens],
    ["sign", picture.signTickets],
  ]) {
    parts.push(label(`lane_${name}`, y));
    // Oldest first, so that the newest lies on top.
    const ordered = [...spans].reverse();
    for (const [i, span] of ordered.entries()) parts.push(...life(span, ordered[i + 1], frame, y + 4));
    y += LIFE_LANE;
  }
  for (const endpoint of CALL_LANES) {
    const middle = y + LANE / 2;
    parts.push(
      label(`lane_${endpoint}`, y, picture.stats.calls[endpoint]),
      draw("line", { class: "rail", x1: GUTTER, x2: width, y1: middle, y2: middle }),
    );
    // What was refused, and what is chosen, lies on top.
    const rank = (call) => Number(isRefused(call)) + 2 * Number(call.id === chosen);
    const shown = picture.calls.filter((call) => call.endpoint === endpoint && (call.endedAt ?? now) >= from);
    for (const call of shown.sort((a, b) => rank(a) - rank(b)))
      parts.push(callBar(call, frame, middle, chosen));
    y += LANE;
  }
  parts.push(draw("line", { class: "now", x1: x(now), x2: x(now), y1: 0, y2: bottom }));
  if (refreshInMs > 0 && x(now + refreshInMs) < width) parts.push(refreshMark(x(now + refreshInMs)));
  svg.replaceChildren(...parts);
}

function summary({ stats }) {
  const vendor = Object.entries(stats.calls).filter(([name]) => name !== "sdk_verify");
  const calls = vendor.reduce((sum, [, n]) => sum + n, 0);
  const { tokenGeneration: generation } = stats;
  return t("timeline_label", { generation, calls, tokens: stats.calls.access_token });
}

function callBar(call, { clip, now }, middle, chosen) {
  const end = call.endedAt ?? now;
  const left = clip(call.startedAt);
  const classes = [
    "call",
    isRefused(call) && "refused",
    call.endedAt === undefined && "open",
    call.id === chosen && "chosen",
  ];
  const said = [t(`lane_${call.endpoint}`), shortTime(end - call.startedAt), codeText(call)];
  return draw(
    "rect",
    {
      class: classes.filter(Boolean).join(" "),
      "data-call": call.id,
      "data-ms": Math.round(end - call.startedAt),
      "data-endpoint": call.endpoint,
      x: left,
      y: middle - BAR / 2,
      width: Math.max(LEAST_WIDTH, clip(end) - left),
      height: BAR,
      rx: 2,
    },
    draw("title", {}, said.filter(Boolean).join(" · ")),
  );
}

/** How a call was answered, in a word or two; "" while it is under way. */
export function codeText({ code, fault, status, endedAt }) {
  const parts = [
    code !== undefined ? t("code_is", { code }) : status !== undefined && t("http_is", { status }),
    fault !== undefined && t(`kind_${fault}`),
  ].filter(Boolean);
  if (parts.length === 0) return endedAt === undefined ? t("call_open") : t("call_cut");
  return parts.join(" · ");
}

/** One life as a bar: whole while it is the newest, hatched while a successor lives beside it. */
function life({ generation, issuedAt, expiresAt, foreign }, successor, { clip, now }, y) {
  const turn = successor ? Math.min(successor.issuedAt, expiresAt) : expiresAt;
  const [a, b, c] = [clip(issuedAt), clip(turn), clip(expiresAt)];
  const kind = (now >= expiresAt ? " past" : "") + (foreign ? " foreign" : "");
  const parts = [];
  if (b > a) {
    const name = draw("title", {}, t("generation_is", { n: generation }));
    parts.push(draw("rect", { class: `life${kind}`, x: a, y, width: b - a, height: BAR, rx: 3 }, name));
  }
  if (c > b)
    parts.push(
      draw("rect", { class: `overlap${kind}`, x: b, y: y + BAR + 2, width: c - b, height: BENEATH, rx: 2 }),
    );
  if (b - a > 26)
    parts.push(draw("text", { class: `generation${kind}`, x: a + 6, y: y + 10 }, `#${generation}`));
  return parts;
}

function grid({ windowMs, now, x, width, height }) {
  const step = windowMs <= 120_000 ? 30_000 : windowMs <= 900_000 ? 180_000 : 1_200_000;
  const y = height - 5;
  const parts = [];
  for (let back = 0; back <= windowMs; back += step) {
    const at = x(now - back);
    if (back > 0) parts.push(draw("line", { class: "grid", x1: at, x2: at, y1: 0, y2: height - AXIS }));
    const text = back === 0 ? t("now") : `−${clockTime(back)}`;
    parts.push(draw("text", { class: "axis", x: at, y, "text-anchor": "middle" }, text));
  }
  const ahead = `+${clockTime(windowMs / 4)}`;
  parts.push(draw("text", { class: "axis", x: width - 2, y, "text-anchor": "end" }, ahead));
  return parts;
}

function refreshMark(x) {
  return draw(
    "g",
    { class: "refresh" },
    draw("title", {}, t("next_refresh")),
    draw("line", { x1: x, x2: x, y1: 0, y2: LIFE_LANE }),
    draw("path", { d: `M${x - 5} 0h10l-5 6z` }),
  );
}

function label(key, y, count) {
  const text = count === undefined ? t(key) : t("lane_count", { lane: t(key), n: count });
  return draw("text", { class: "lane", x: 0, y: y + LANE / 2 + 4 }, text);
}

function hatch() {
  const stripe = draw("rect", { class: "hatch", width: 3, height: 6 });
  const turned = { patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  return draw("defs", {}, draw("pattern", { id: "hatch", width: 6, height: 6, ...turned }, stripe));
}
