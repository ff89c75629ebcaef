import type { Breach } from "../sandbox/vendor/breaches.ts";
import type { RuleName } from "../sandbox/vendor/rules.ts";
import type { BackendAnswer } from "./backend.ts";
import type { Result } from "./examine.ts";
import { findingOf, type Lab, type RuleFinding } from "./lab.ts";
import type { ConformanceRule } from "./rules.ts";

const SIGNATURES: readonly RuleName[] = [
  "sign_format",
  "signature_wrong",
  "ticket_kind_wrong",
  "launch_signed_with_sign_ticket",
  "sign_ticket_dead",
  "nonce_ticket_dead",
  "nonce_ticket_of_other_user",
  "user_id_differs",
];

/** Vendor rules covered by a separate conformance rule. */
const COVERED: readonly RuleName[] = [
  ...SIGNATURES,
  ...(["nonce_ticket_used", "nonce_too_frequent", "nonce_reused", "nonce_format"] as const),
  ...(["order_no_reused", "order_no_format", "overlapping_refresh", "overlapping_sign_ticket"] as const),
];

/** Rules checked over all responses and calls so far. */
export const overall = {
  signatures_valid: {
    text: "every call and every launch was signed with the right, living ticket",
    needs: "launch",
    seenAnyway: true,
    async examine(lab: Lab): Promise<RuleFinding> {
      const broken = lab.breaches(...SIGNATURES);
      const { upload, query } = lab.calls();
      const evidence = `${upload} uploads, ${query} queries, ${lab.launches.length} launches: all signed well`;
      return findingOf(broken.length === 0 ? [] : [summary(broken)], evidence);
    },
  },
  vendor_rules_kept: {
    text: "no other rule of the vendor's was broken",
    needs: "launch",
    seenAnyway: true,
    async examine(lab: Lab): Promise<RuleFinding> {
      const broken = lab.breaches().filter(({ rule }) => !COVERED.includes(rule));
      const calls = Object.values(lab.calls()).reduce((sum, count) => sum + count, 0);
      return findingOf(broken.length === 0 ? [] : [summary(broken)], `${calls} calls without a breach`);
    },
  },
  nothing_secret_in_answers: {
    text: "no answer holds the secret, a token, a ticket or an ID number",
    needs: "verdict",
    seenAnyway: true,
    async examine({ sandbox, backend }: Lab): Promise<RuleFinding> {
      const secrets = new Map<string, string>([[sandbox.secret, "the secret"]]);
      for (const value of sandbox.issuedValues()) secrets.set(value, "a token or ticket");
      for (const idNo of backend.idNumbers) secrets.set(idNo, "an ID number");
      const found = new Set<string>();
      for (const answer of backend.answers) {
        const text = [answer.text, ...valuesIn(answer)].join("\n");
        for (const [value, what] of secrets) if (text.includes(value)) found.add(what);
      }
      const wrong = found.size === 0 ? [] : [`answers hold ${[...found].join(", ")}`];
      return findingOf(wrong, `${backend.answers.length} answers hold none`);
    },
  },
} satisfies Record<string, ConformanceRule>;

/** Every value in an answer's JSON, however the text spells it. */
function valuesIn({ json }: BackendAnswer): string[] {
  const values: string[] = [];
  JSON.stringify(json, (_name, value: unknown) => {
    if (typeof value === "string" || typeof value === "number") values.push(String(value));
    return value;
  });
  return values;
}

/** The rules broken with their counts, the most frequent first, and what the vendor saw of it first. */
export function summary(breaches: readonly Breach[]): string {
  const counts = new Map<string, { count: number; detail: string }>();
  for (const { rule, detail } of breaches) {
    const { count = 0, detail: first = detail } = counts.get(rule) ?? {};
    counts.set(rule, { count: count + 1, detail: first });
  }
  return [...counts]
    .sort(([, a], [, b]) => b.count - a.count)
    .map(([name, { count, detail }]) => `${name} ×${count} (${detail})`)
    .join(", ");
}

const WORDS = { kept: "pass", broken: "FAIL", not_examined: "----" } as const;

/** One rule for a terminal: outcome, name and evidence, and the requirement unless it is kept. */
export function printResult({ outcome, rule, text, evidence }: Result): string {
  const line = `${WORDS[outcome]}  ${rule.padEnd(28)}  ${outcome === "not_examined" ? "not examined: " : ""}${evidence}`;
  return outcome === "kept" ? line : `${line}\n      must hold: ${text}`;
}

/** The last line of the output. */
export function printSummary(results: readonly Result[]): string {
  const named = (wanted: Result["outcome"]) =>
    results.filter(({ outcome }) => outcome === wanted).map(({ rule }) => rule);
  const [broken, unseen] = [named("broken"), named("not_examined")];
  if (broken.length + unseen.length === 0) return `All ${results.length} rules are kept.`;
  return [
    ...(broken.length > 0
      ? [`${broken.length} of ${results.length} rules are broken: ${broken.join(", ")}`]
      : []),
    ...(unseen.length > 0
      ? [`${unseen.length} of ${results.length} rules could not be examined: ${unseen.join(", ")}`]
      : []),
  ].join("\n");
}

/** All results as a JSON document. */
export function resultsAsJson(results: readonly Result[]): string {
  return JSON.stringify({ ok: results.every(({ outcome }) => outcome === "kept"), results }, null, 2);
}
