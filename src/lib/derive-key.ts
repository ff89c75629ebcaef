import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import type { Secret } from "./secret.ts";

/**
 * A key of 32 bytes for one purpose, derived from a secret (HKDF, RFC 5869). A KeyObject, because an HMAC with the bytes
 * themselves makes one anew each time, which costs more than the HMAC.
 */
export function deriveKey(secret: Secret, purpose: string): KeyObject {
  const info = `faceverification ${purpose} v1`;
  return createSecretKey(Buffer.from(hkdfSync("sha256", secret.reveal(), "", info, 32)));
}
