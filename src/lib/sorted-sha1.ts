import { createHash } from "node:crypto";

/** How a signature over sorted values comes about. */
export interface SortedSha1 {
  /** The named values in the order in which they are joined. */
  parts: readonly { name: string; value: string }[];
  /** Length of the joined text, UTF-16 code units. */
  joinedLength: number;
  /** SHA-1 of the joined text's UTF-8, upper-case hexadecimal digits. */
  digest: string;
}

/**
 * Sorts values by UTF-16 code unit (like Java's String.compareTo), joins them without separator and hashes them. For people who
 * search for a fault: signer and verifier have their own code, which this checks.
 */
export function explainSortedSha1(values: readonly (readonly [name: string, value: string])[]): SortedSha1 {
  const parts = values.map(([name, value]) => ({ name, value }));
  parts.sort(({ value: a }, { value: b }) => (a < b ? -1 : a > b ? 1 : 0));
  const joined = parts.map(({ value }) => value).join("");
  const digest = createHash("sha1").update(joined, "utf8").digest("hex").toUpperCase();
  return { parts, joinedLength: joined.length, digest };
}
