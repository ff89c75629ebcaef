import { draw } from "./dom.js";
import { clockTime, shortTime, t } from "./texts.js";

const CALL_LANES = ["access_token", "sign_ticket", "nonce_ticket", "upload", "query", "sdk_verify"];
const LABEL = 16;
const BAR = 18;
const LANE = 36;
/** What outlives its successor is drawn beneath it. */
const BENEATH = 8;
const LIFE_LANE = LANE + BENEATH + 4;
const AXIS = 22;
/** How much of the width lies in the past. */
const PAST = 0.8;
/** A call is drawn at least this wide, pixels. */
const LEAST_WIDTH = 4;

/** Whether a call ended otherwise than its caller hoped. */
export const isRefused = ({ code, fault, endedAt }) =>
  fault !== undefined || (endedAt !== undefined && code !== "0" && code !== undefined && !isVerdict(code));

/** Codes that are verdicts or business answers are no refusals. */
const isVerdict = (code) =>
  code.startsWith("6666") && !["66660001", "66660018", "66660021", "66660030"].includes(code);

/** Draws lives of tokens and tickets, and the calls, over the last `windowMs` and a quarter of that to come. */
export function drawTimeline(svg, picture, now, windowMs) {
  const width = Math.max(280, svg.parentElement.clientWidth - 2);
  const height = 2 * LIFE_LANE + LANE * CALL_LANES.length + AXIS;
  const from = now - windowMs;
  const scale = (width * PAST) / windowMs;
  const x = (at) => (at - from) * scale;
  const clip = (at) => Math.min(width, Math.max(0, x(at)));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  const { calls, tokens, signTickets, stats } = picture;
  const total = Object.entries(stats.calls).reduce(
    (sum, [name, n]) => sum + (name === "sdk_verify" ? 0 : n),
    0,
  );
  svg.setAttribute(
    "aria-label",
    t("timeline_label", {
      generation: stats.tokenGeneration,
      calls: total,
      tokens: stats.calls.access_token,
    }),
  );

  const parts = [
    hatch(),
    draw("rect", { class: "future", x: x(now), y: 0, width: width - x(now), height: height - AXIS }),
  ];
  parts.push(...grid(windowMs, from, now, x, width, height));
  let y = 0;
  for (const [name, spans] of [
    ["token", tokens],
    ["sign", signTickets],
  ]) {
    parts.push(label(`lane_${name}`, y));
    // Oldest first, so that the newest lies on top.
    for (const [i, span] of [...spans].reverse().entries()) {
      const successor = [...spans].reverse()[i + 1];
      parts.push(...life(span, successor, clip, y + LABEL, now));
    }
    y += LIFE_LANE;
  }
  for (const endpoint of CALL_LANES) {
    const of = calls.filter((call) => call.endpoint === endpoint);
    parts.push(label(`lane_${endpoint}`, y, stats.calls[endpoint]));
    parts.push(
      draw("line", { class: "rail", x1: 0, x2: width, y1: y + LABEL + BAR / 2, y2: y + LABEL + BAR / 2 }),
    );
    for (const call of of) {
      const end = call.endedAt ?? now;
      if (end < from) continue;
      const left = clip(call.startedAt);
      parts.push(
        draw(
          "rect",
          {
            class: `call${isRefused(call) ? " refused" : ""}${call.endedAt === undefined ? " open" : ""}`,
            "data-ms": Math.round(end - call.startedAt),
            "data-endpoint": endpoint,
            x: left,
            y: y + LABEL + 2,
            width: Math.max(LEAST_WIDTH, clip(end) - left),
            height: BAR - 4,
            rx: 2,
          },
          title(
            `${t(`lane_${endpoint}`)} · ${shortTime(end - call.startedAt)} · ${call.code ?? call.fault ?? ""}`,
          ),
        ),
      );
    }
    y += LANE;
  }
  parts.push(draw("line", { class: "now", x1: x(now), x2: x(now), y1: 0, y2: height - AXIS }));
  svg.replaceChildren(...parts);
}

/** One life as a bar: whole while it is the newest, hatched while a successor lives beside it. */
function life({ generation, issuedAt, expiresAt, foreign }, successor, clip, y, now) {
  const turn = successor ? Math.min(successor.issuedAt, expiresAt) : expiresAt;
  const [a, b, c] = [clip(issuedAt), clip(turn), clip(expiresAt)];
  const dead = (now >= expiresAt ? " past" : "") + (foreign ? " foreign" : "");
  const parts = [];
  if (b > a) {
    const name = title(`#${generation}`);
    parts.push(draw("rect", { class: `life${dead}`, x: a, y, width: b - a, height: BAR, rx: 3 }, name));
  }
  if (c > b) {
    const beneath = y + BAR + 2;
    parts.push(
      draw("rect", { class: `overlap${dead}`, x: b, y: beneath, width: c - b, height: BENEATH, rx: 2 }),
    );
  }
  if (b - a > 26)
    parts.push(draw("text", { class: `generation${dead}`, x: a + 6, y: y + 13 }, `#${generation}`));
  return parts;
}

function grid(windowMs, from, now, x, width, height) {
  const step = windowMs <= 120_000 ? 30_000 : windowMs <= 900_000 ? 180_000 : 1_200_000;
  const parts = [];
  for (let back = 0; back <= windowMs; back += step) {
    const at = x(now - back);
    if (back > 0) parts.push(draw("line", { class: "grid", x1: at, x2: at, y1: 0, y2: height - AXIS }));
    const text = back === 0 ? t("now") : `−${clockTime(back)}`;
    const anchor = at < 24 ? "start" : "middle";
    if (at >= -1)
      parts.push(
        draw("text", { class: "axis", x: Math.max(0, at), y: height - 5, "text-anchor": anchor }, text),
      );
  }
  const ahead = x(now + windowMs / 4) - 2;
  parts.push(
    draw(
      "text",
      { class: "axis", x: Math.min(width, ahead), y: height - 5, "text-anchor": "end" },
      `+${clockTime(windowMs / 4)}`,
    ),
  );
  return parts;
}

function label(key, y, count) {
  return draw(
    "text",
    { class: "lane", x: 0, y: y + LABEL - 4 },
    count === undefined ? t(key) : `${t(key)} · ${count}`,
  );
}

function hatch() {
  const pattern = draw(
    "pattern",
    { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    draw("rect", { class: "hatch", width: 3, height: 6 }),
  );
  return draw("defs", {}, pattern);
}

const title = (text) => draw("title", {}, text);
