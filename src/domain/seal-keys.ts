import { createHash, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import type { Secret } from "../lib/redacted.ts";

/** A 32-byte key and its id; the first of a ring seals, all of them open. */
export interface SealKey {
  id: string;
  /** Not raw bytes: Node would build a KeyObject from them at each use. */
  key: KeyObject;
  /** The secret it was derived from. */
  from?: Secret;
}

const DERIVED = "s-";

/** Whether the key with this id was derived from a vendor secret; STORE_KEYS cannot contain such ids. */
export const isDerived = (id: string): boolean => id.startsWith(DERIVED);

/**
 * The keys of STORE_KEYS (`id:key[,id:key]`, each key 32 bytes in Base64); if undefined, one derived from each secret.
 * Throws RangeError naming the rule, never the key.
 */
export function keyRing(storeKeys: Secret | undefined, secrets: readonly Secret[]): SealKey[] {
  if (storeKeys === undefined) return secrets.map(derivedKey);
  return storeKeys
    .reveal()
    .trim()
    .split(/[,\n]/)
    .map((entry, i) => {
      const [, id, text = ""] = /^([0-9A-Za-z_]{1,32}):([0-9A-Za-z+/_-]{43}=?)$/.exec(entry.trim()) ?? [];
      if (id === undefined) throw new RangeError(`entry ${i + 1} must be id:key with 32 bytes in Base64`);
      return { id, key: createSecretKey(text, "base64") };
    });
}

function derivedKey(secret: Secret): SealKey {
  const value = secret.reveal();
  const id = DERIVED + createHash("sha256").update(`ticket store key id ${value}`).digest("hex").slice(0, 12);
  return {
    id,
    key: createSecretKey(Buffer.from(hkdfSync("sha256", value, "", "faceverification ticket store", 32))),
    from: secret,
  };
}
