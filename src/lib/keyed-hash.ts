import { createHmac, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import type { Secret } from "./redacted.ts";

/**
 * A 32-byte key for one purpose, derived from a secret (HKDF, RFC 5869). A KeyObject, because passing raw bytes makes Node
 * build one per HMAC.
 * perf: docs/performance.md#key-objects
 */
export function deriveKey(secret: Secret, purpose: string): KeyObject {
  const info = `faceverification ${purpose} v1`;
  return createSecretKey(Buffer.from(hkdfSync("sha256", secret.reveal(), "", info, 32)));
}

/** A stable alias of a text: 43 characters of base64url, not reversible without the secret. */
export type Pseudonym = (text: string) => string;

/** Pseudonyms for one purpose; those of different purposes cannot be linked. */
export function createPseudonym(secret: Secret, purpose: string): Pseudonym {
  const key = deriveKey(secret, purpose);
  return (text) => createHmac("sha256", key).update(text).digest("base64url");
}
