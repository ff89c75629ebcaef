import { hash } from "node:crypto";
import type { Secret } from "../lib/secret.ts";

/**
 * The vendor's signature (protocol.md 5): values and ticket sorted by UTF-16 code unit, as Java's `String.compareTo`
 * does, joined without separator, SHA-1 over UTF-8, upper-case hex. Equal values stay in the list twice.
 */
export function sign(values: readonly string[], ticket: Secret): string {
  // Array.sort without a comparator is the sort by UTF-16 code unit; localeCompare would be wrong.
  const canonical = [...values, ticket.reveal()].sort().join("");
  return hash("sha1", canonical, "hex").toUpperCase();
}
