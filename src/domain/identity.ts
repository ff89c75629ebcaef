import type { FieldViolation } from "../errors.ts";

/** The person to verify, in the form that goes to the vendor. */
export interface Identity {
  name: string;
  idNo: string;
}

/** Trims both, composes the name (NFC), and writes the check character as the vendor expects it (protocol.md 10.3, 10.4). */
export function normaliseIdentity({ name, idNo }: Identity): Identity {
  return { name: name.trim().normalize("NFC"), idNo: idNo.trim().replace(/^(.{17})x$/, "$1X") };
}

/**
 * The rules that the proto cannot say. Lengths and characters are in the proto; numbers of another length than 18 are
 * the vendor's to judge, and so is the name beyond these (protocol.md 10.3, 10.4).
 */
export function identityViolations({ name, idNo }: Identity): FieldViolation[] {
  const violations: FieldViolation[] = [];
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
  const [year, month, day] = [idNo.slice(6, 10), idNo.slice(10, 12), idNo.slice(12, 14)].map(Number) as [
    number,
    number,
    number,
  ];
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) {
    return "id_no.birth_date";
  }
  const sum = WEIGHTS.reduce((total, weight, i) => total + weight * Number(idNo[i]), 0);
  if (CHECK[sum % 11] !== idNo[17]) {
    return "id_no.check_digit";
  }
  return undefined;
}
