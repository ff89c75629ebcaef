import { createHash, timingSafeEqual } from "node:crypto";

/**
 * The vendor's signature (protocol.md 5), deliberately implemented a second time: the code that creates
 * signatures must not be the code that checks them. SHA-1 over the values and the ticket, ordered by UTF-16
 * code unit; duplicates are kept.
 */
export function expectedSign(values: readonly string[], ticket: string): string {
  const parts = [...values, ticket].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const hash = createHash("sha1");
  for (const part of parts) hash.update(part, "utf8");
  return hash.digest("hex");
}

/** Whether `sign` is the signature of the values with the ticket, in upper or lower case. */
export function isSignedBy(sign: string, values: readonly string[], ticket: string): boolean {
  return sameText(sign.toLowerCase(), expectedSign(values, ticket));
}

/** Compares secrets in constant time. */
export function sameText(received: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text, "utf8").digest();
  return timingSafeEqual(digest(received), digest(expected));
}
