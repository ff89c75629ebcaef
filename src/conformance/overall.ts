import type { RuleName } from "../sandbox/vendor/rules.ts";
import type { Result } from "./examine.ts";
import type { Lab, RuleFinding } from "./lab.ts";
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
    async examine(lab: Lab): Promise<RuleFinding> {
      const broken = lab.breaches(...SIGNATURES);
      return { ok: broken.length === 0, evidence: summary(broken.map(({ rule }) => rule)) };
    },
  },
  vendor_rules_kept: {
    text: "no other rule of the vendor's was broken",
    async examine(lab: Lab): Promise<RuleFinding> {
      const broken = lab.breaches().filter(({ rule }) => !COVERED.includes(rule));
      return { ok: broken.length === 0, evidence: summary(broken.map(({ rule }) => rule)) };
    },
  },
  nothing_secret_in_answers: {
    text: "no answer holds the secret, a token, a ticket or an ID number",
    async examine({ sandbox, backend }: Lab): Promise<RuleFinding> {
      const secrets = new Map<string, string>([[sandbox.secret, "the secret"]]);
      for (const value of sandbox.issuedValues()) secrets.set(value, "a token or ticket");
      for (const idNo of backend.idNumbers) secrets.set(idNo, "an ID number");
      const found = new Set<string>();
      for (const { text } of backend.answers) {
        for (const [value, what] of secrets) if (text.includes(value)) found.add(what);
      }
      return {
        ok: found.size === 0,
        evidence: `${backend.answers.length} answers hold ${found.size === 0 ? "none" : [...found].join(", ")}`,
      };
    },
  },
} satisfies Record<string, ConformanceRule>;

/** Names with their counts, the most frequent first. */
function summary(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  if (counts.size === 0) return "no breach seen";
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([name, count]) => `${name} ×${count}`).join(", ");
}

/** One rule for a terminal: status, name and evidence, and the requirement if it is broken. */
export function printResult({ ok, rule, text, evidence }: Result): string {
  const line = `${ok ? "pass" : "FAIL"}  ${rule.padEnd(28)}  ${evidence}`;
  return ok ? line : `${line}\n      must hold: ${text}`;
}

/** The last line of the output. */
export function printSummary(results: readonly Result[]): string {
  const failed = results.filter(({ ok }) => !ok);
  if (failed.length === 0) return `All ${results.length} rules are kept.`;
  return `${failed.length} of ${results.length} rules are broken: ${failed.map(({ rule }) => rule).join(", ")}`;
}

/** All results as a JSON document. */
export function resultsAsJson(results: readonly Result[]): string {
  return JSON.stringify({ ok: results.every(({ ok }) => ok), results }, null, 2);
}
