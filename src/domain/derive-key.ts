import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import type { Secret } from "../lib/secret.ts";

/**
 * The HMAC key for one purpose (HKDF, RFC 5869). A KeyObject and not its bytes: given bytes, Node finds out what they are by
 * throwing and catching two errors, each time, with a stack.
 */
export function deriveKey(secret: Secret, purpose: string): KeyObject {
  const key = hkdfSync("sha256", secret.reveal(), "", `faceverification ${purpose} v1`, 32);
  return createSecretKey(Buffer.from(key));
}
