import type { FieldViolation } from "../errors.ts";
import { nameOnCard, plainLetters, trimmed } from "./name.ts";

/** The person to verify, in the form that goes to the vendor. */
export interface Identity {
  name: string;
  idNo: string;
}

/** How names are sent: as the person's card has them, or as they were typed. */
export type Names = "card" | "typed";

/** What goes to the vendor: the name as `names` says, the number in plain capital letters and digits (protocol.md 10.3, 10.4). */
export function normaliseIdentity({ name, idNo }: Identity, names: Names = "card"): Identity {
  return {
    name: names === "card" ? nameOnCard(name) : name,
    // ASCII alone: other letters have capitals in ASCII, too, and are still to be refused.
    idNo: plainLetters(trimmed(idNo)).replaceAll(/[a-z]/g, (letter) => letter.toUpperCase()),
  };
}

/**
 * The number that stands for a person: of a resident number of 15 digits, as they were until 1999, its form of 18 (GB
 * 11643-1999: the century before the year, the check character behind it); of any other, itself.
 */
export function personNumber(idNo: string): string {
  if (!/^\d{15}$/.test(idNo)) return idNo;
  const body = `${idNo.slice(0, 6)}19${idNo.slice(6)}`;
  return hasRealDate(body) ? body + checkCharacter(body) : idNo;
}

/**
 * The rules that the proto cannot say. Lengths and characters are in the proto; numbers of another length than 18 are
 * the vendor's to judge, and so is the name beyond these (protocol.md 10.3, 10.4).
 */
export function identityViolations({ name, idNo }: Identity): FieldViolation[] {
  const violations: FieldViolation[] = [];
  // What a decoder writes for bytes that are not UTF-8: whatever the name was, this is another one.
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

/** What is wrong with an 18-character number of GB 11643-1999, if anything. Any area is let through: 810, 820 and 830 are real ones. */
function residentNumberFault(idNo: string): string | undefined {
  if (!/^\d{17}[\dX]$/.test(idNo)) {
    return "id_no.characters";
  }
  if (!hasRealDate(idNo)) return "id_no.birth_date";
  return checkCharacter(idNo) === idNo[17] ? undefined : "id_no.check_digit";
}

/** Whether digits 7 to 14 are a day of the calendar. */
function hasRealDate(idNo: string): boolean {
  const [year, month, day] = [idNo.slice(6, 10), idNo.slice(10, 12), idNo.slice(12, 14)].map(Number) as [
    number,
    number,
    number,
  ];
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** What the first 17 digits call for as the 18th. */
function checkCharacter(idNo: string): string | undefined {
  const sum = WEIGHTS.reduce((total, weight, i) => total + weight * Number(idNo[i]), 0);
  return CHECK[sum % 11];
}
