import { createHmac } from "node:crypto";
import { deriveKey } from "../lib/derive-key.ts";
import type { Secret } from "../lib/secret.ts";

/** Another name for a text: the same for the same text, 43 characters of base64url, and not reversible without the secret. */
export type Pseudonym = (text: string) => string;

/** Pseudonyms for one purpose; those of two purposes cannot be compared. */
export function createPseudonym(secret: Secret, purpose: string): Pseudonym {
  const key = deriveKey(secret, purpose);
  return (text) => createHmac("sha256", key).update(text).digest("base64url");
}
