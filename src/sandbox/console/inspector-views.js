import { make } from "./dom.js";
import { hasText, language, t } from "./language.js";
import { isRefused } from "./timeline.js";

/** Why a call was refused: rules it broke, and what led to that; else the answer's own words. */
export function whyView({ call, answer, breaches, rules }) {
  const items = breaches.map((breach) => {
    const text = breachText(breach, rules);
    return make(
      "li",
      {},
      make("p", {}, make("strong", {}, text)),
      make("p", { class: "hint" }, make("code", {}, breach.rule)),
      breach.cause && make("p", { class: "cause" }, t(`cause_${breach.cause}`)),
    );
  });
  if (items.length > 0) return [make("h4", {}, t("why_broken")), make("ul", {}, ...items)];
  if (call.fault !== undefined) return [make("p", {}, t("why_fault", { kind: t(`kind_${call.fault}`) }))];
  const msg = readJson(answer?.body)?.msg;
  return isRefused(call) && msg ? [make("p", {}, make("strong", {}, String(msg)))] : [];
}

/** What a rule says, in the page's language, with the detail that was found. */
export function breachText({ rule, detail }, rules) {
  const { text = "", zh } = rules[rule] ?? {};
  if (language() !== "zh" || !zh) return detail;
  return zh + (detail.startsWith(text) ? detail.slice(text.length) : "");
}

/** A request or an answer as it was sent, JSON and forms laid out. */
export function messageView(kind, message, call = {}) {
  if (!message)
    return [make("p", { class: "empty" }, t(call.endedAt === undefined ? "call_open" : "no_whole_answer"))];
  const { method, url, status, contentType, body, length } = message;
  const head = kind === "sent" ? `${method} ${url}` : `HTTP ${status}`;
  return [
    make(
      "pre",
      { class: "head" },
      [head, contentType && `content-type: ${contentType}`].filter(Boolean).join("\n"),
    ),
    body === ""
      ? make("p", { class: "empty" }, t("empty_body"))
      : make("pre", { class: "body" }, layOut(contentType, body)),
    length > body.length && make("p", { class: "hint" }, t("cut", { shown: body.length, length })),
  ];
}

function layOut(contentType, body) {
  const json = readJson(body);
  if (json !== undefined) return JSON.stringify(json, null, 2);
  if (!contentType.startsWith("application/x-www-form-urlencoded")) return body;
  return [...new URLSearchParams(body)].map(([name, value]) => `${name} = ${value}`).join("\n");
}

/** What was signed and in which order, as `npm run doctor -- explain` shows it. */
export function signedView(signed) {
  if (!signed) return [];
  const { parts, joinedLength, digest, ticket, generation, sent, agrees } = signed;
  const known =
    generation === undefined ? t("no_ticket", { ticket }) : t("with_ticket", { ticket, n: generation });
  return [
    make(
      "p",
      { class: agrees ? "verdict-line good" : "verdict-line bad" },
      t(agrees ? "sign_agrees" : "sign_differs"),
    ),
    make("p", { class: "hint" }, t("signed_order", { n: parts.length }), " ", known),
    make(
      "ol",
      { class: "parts" },
      ...parts.map(({ name, value }) =>
        make(
          "li",
          {},
          make("span", { class: "part" }, name, make("small", {}, t("characters", { n: value.length }))),
          make("code", {}, value === "" ? t("empty") : value),
        ),
      ),
    ),
    make("p", { class: "hint" }, t("joined", { n: joinedLength })),
    make(
      "dl",
      { class: "parameters" },
      make("dt", {}, t("sign_expected")),
      make("dd", {}, digest),
      make("dt", {}, t("sign_sent")),
      make("dd", { class: agrees ? undefined : "bad" }, sent === "" ? t("empty") : sent),
    ),
    !agrees && make("p", { class: "hint" }, t("sign_hint")),
  ];
}

function readJson(text) {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

/** The cause of a breach in words; undefined if it is the backend's own. */
export const causeText = (cause) => (cause && hasText(`cause_${cause}`) ? t(`cause_${cause}`) : undefined);
