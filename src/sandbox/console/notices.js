import { VERDICTS, verdictOf } from "./answers.js";
import { make } from "./dom.js";
import { hasText, t } from "./language.js";

const MARKS = { PASSED: "✓", FAILED: "✕", INCONCLUSIVE: "?", NOT_COMPLETED: "–", ERROR: "!" };

/** The mark of a verdict; "!" for an error, "·" while there is none. */
export const markOf = (kind) => MARKS[kind] ?? "·";

/** A verdict's name, if it is one of ours. */
export const verdictKind = (verdict) => (VERDICTS.includes(verdict) ? verdict : undefined);

/** A verdict with its reason and what to do next. */
export function verdictNotice(answered) {
  const { answer, status } = answered;
  if (status !== 200) return errorNotice("error_result", answered);
  const { verdict, reason, own, code, msg, live_rate, similarity, occurred_at } = verdictOf(answered);
  const facts = [
    ["code", answer.code],
    ["reason", reason],
    ["live_rate", live_rate],
    ["similarity", similarity],
    ["occurred_at", occurred_at],
  ];
  if (own) return notice(verdict, t(`verdict_${verdict}`), t(`reason_${reason}`), t(`next_${reason}`), facts);
  const word = verdict ? t("foreign_passed") : t("foreign_other", { code: code ?? "–" });
  return notice(verdict ?? "OTHER", word, msg ?? t("foreign_silent"), undefined, facts);
}

/** An answer that is no success, under the heading of the step that failed. */
export function errorNotice(heading, { answer, status }) {
  const { reason, msg, code } = answer;
  const known = reason && hasText(`error_${reason}`);
  return notice(
    "ERROR",
    t(heading),
    typeof msg === "string" ? msg : t(status === 0 ? "no_answer" : "no_message"),
    t(known ? `error_${reason}` : "error_other"),
    [
      ["HTTP", status || undefined],
      ["code", code],
      ["reason", reason],
    ],
  );
}

/** What the SDK told the app. It decides nothing, and says so. */
export function sdkNotice({ status, answer }) {
  const { result, code, msg } = answer;
  if (status !== 200) return errorNotice("error_sdk", { status, answer });
  const ok = result?.isSuccess === true;
  const { domain, code: sdkCode, desc } = result?.error ?? {};
  return make(
    "div",
    { class: "aside" },
    make(
      "p",
      {},
      make("code", {}, `isSuccess: ${ok}`),
      domain && " ",
      domain && make("code", {}, `${domain} ${sdkCode ?? code}`),
    ),
    (desc ?? (ok ? undefined : msg)) && make("p", {}, desc ?? msg),
    make("p", { class: "hint" }, t("sdk_untrusted")),
  );
}

function notice(kind, word, why, next, facts) {
  const shown = facts.filter(
    ([, value]) => value !== null && value !== undefined && typeof value !== "object",
  );
  return make(
    "div",
    { class: "notice", "data-verdict": kind },
    make("p", { class: "word" }, make("span", { class: "mark", "aria-hidden": "true" }, markOf(kind)), word),
    make("p", {}, why),
    next && make("p", { class: "next" }, make("strong", {}, t("next_step")), " ", next),
    make("p", { class: "hint facts" }, shown.map(([name, value]) => `${name} ${value}`).join(" · ")),
  );
}
