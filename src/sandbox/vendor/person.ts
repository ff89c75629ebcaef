const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK = "10X98765432";

/**
 * Whether the vendor accepts name and ID number as well-formed (protocol.md 10.3, 10.4). Date and check digit
 * are checked only for 18 characters; how the upload treats shorter numbers is not documented, so they are
 * accepted.
 */
export function isValidIdentity(name: string, idNo: string): boolean {
  return isValidName(name) && (idNo.length === 18 ? isResidentNumber(idNo) : /^[0-9A-Z]{8,20}$/.test(idNo));
}

function isValidName(name: string): boolean {
  return Array.from(name).length >= 2 && name === name.trim() && !/\p{Cc}/u.test(name);
}

/** GB 11643-1999: 17 digits that contain a real date, and the check character computed from them. */
function isResidentNumber(idNo: string): boolean {
  if (!/^\d{17}[\dX]$/.test(idNo)) return false;
  const date = `${idNo.slice(6, 10)}-${idNo.slice(10, 12)}-${idNo.slice(12, 14)}`;
  const parsed = new Date(`${date}T00:00:00Z`);
  // Some engines roll 30 February over to March instead of rejecting it.
  if (Number.isNaN(parsed.getTime()) || parsed.toISOString().slice(0, 10) !== date) return false;
  let sum = 0;
  for (const [i, weight] of WEIGHTS.entries()) sum += weight * Number(idNo[i]);
  return CHECK[sum % 11] === idNo[17];
}
