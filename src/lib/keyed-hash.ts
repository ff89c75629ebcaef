import { createHmac, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import type { Secret } from "./redacted.ts";

/**
 * A key of 32 bytes for one purpose, derived from a secret (HKDF, RFC 5869). A KeyObject, because an HMAC with the bytes
 * themselves makes one anew each time, which costs more than the HMAC.
 */
export function deriveKey(secret: Secret, purpose: string): KeyObject {
  const info = `faceverification ${purpose} v1`;
  return createSecretKey(Buffer.from(hkdfSync("sha256", secret.reveal(), "", info, 32)));
}

/** Another name for a text: the same for the same text, 43 characters of base64url, and not reversible without the secret. */
export type Pseudonym = (text: string) => string;

/** Pseudonyms for one purpose; those of two purposes cannot be compared. */
export function createPseudonym(secret: Secret, purpose: string): Pseudonym {
  const key = deriveKey(secret, purpose);
  return (text) => createHmac("sha256", key).update(text).digest("base64url");
}
