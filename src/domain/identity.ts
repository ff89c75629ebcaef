import type { FieldViolation } from "../errors.ts";
import { nameOnCard, plainLetters, trimmed } from "./name.ts";

/** The person to verify. */
export interface Identity {
  name: string;
  idNo: string;
}

/** How names are sent: in the form on the ID card, or as typed. */
export type Names = "card" | "typed";

/** The identity as sent to the vendor: the name per `names`, the number in ASCII capitals (protocol.md 10.3, 10.4). */
export function normaliseIdentity({ name, idNo }: Identity, names: Names = "card"): Identity {
  return {
    name: names === "card" ? nameOnCard(name) : name,
    // a-z only: some non-ASCII letters have ASCII capitals, and must still be refused.
    idNo: plainLetters(trimmed(idNo)).replaceAll(/[a-z]/g, (letter) => letter.toUpperCase()),
  };
}

/**
 * The number that identifies a person: a 15-digit resident number, as issued until 1999, in its 18-character form (GB
 * 11643-1999: century before the year, check character at the end); any other unchanged.
 */
export function personNumber(idNo: string): string {
  if (!/^\d{15}$/.test(idNo)) return idNo;
  const body = `${idNo.slice(0, 6)}19${idNo.slice(6)}`;
  return hasRealDate(body) ? body + checkCharacter(body) : idNo;
}

/**
 * The rules that the proto cannot express. Lengths and characters are in the proto; numbers of other lengths than 18, and
 * everything else about the name, are left to the vendor (protocol.md 10.3, 10.4).
 */
export function identityViolations({ name, idNo }: Identity): FieldViolation[] {
  const violations: FieldViolation[] = [];
  // Decoders write U+FFFD for bytes that are not UTF-8: the original name is lost.
  if (name.includes("\uFFFD")) violations.push({ field: "name", rule: "name.replacement" });
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)) {
    violations.push({ field: "name", rule: "name.control" });
  }
  if (idNo.length === 18) {
    const rule = residentNumberFault(idNo);
    if (rule) violations.push({ field: "id_no", rule });
  }
  return violations;
}

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK = "10X98765432";

/** The rule of GB 11643-1999 that an 18-character number breaks, if any. Any area is accepted: 810, 820 and 830 exist. */
function residentNumberFault(idNo: string): string | undefined {
  if (!/^\d{17}[\dX]$/.test(idNo)) {
    return "id_no.characters";
  }
  if (!hasRealDate(idNo)) return "id_no.birth_date";
  return checkCharacter(idNo) === idNo[17] ? undefined : "id_no.check_digit";
}

/** Whether digits 7 to 14 are a real date. */
function hasRealDate(idNo: string): boolean {
  const [year, month, day] = [idNo.slice(6, 10), idNo.slice(10, 12), idNo.slice(12, 14)].map(Number) as [
    number,
    number,
    number,
  ];
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** The 18th character that the first 17 digits require. */
function checkCharacter(idNo: string): string | undefined {
  const sum = WEIGHTS.reduce((total, weight, i) => total + weight * Number(idNo[i]), 0);
  return CHECK[sum % 11];
}
