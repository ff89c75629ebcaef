import { createCipheriv, createDecipheriv } from "node:crypto";
import { isDerived, type SealKey } from "../domain/seal-keys.ts";
import { randomBytes } from "../lib/base62.ts";
import type { Reloadable } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";

/** Which record a sealed text is; it opens as no other (ticket-cache.md 2.11). */
export interface SealedIdentity {
  generation: number;
  kind: "pair" | "stage" | `launch ${string}`;
}

/**
 * The plain text, or why it cannot be opened: `key`: its key is not in the ring; `secret`: its key was derived from another
 * secret; `tag`: damaged, or the record of another app, generation or kind; `format`: not a sealed text.
 */
export type OpenResult =
  | { ok: true; plain: string }
  | { ok: false; why: "key" | "secret" | "tag" | "format" };

/** Encrypts what leaves the process, with AES-256-GCM. */
export interface Sealer {
  /** `1.<key id>.<iv>.<tag>.<ciphertext>`. With derived keys, uses the key of `secret`. */
  seal(plain: string, identity: SealedIdentity, secret?: Secret): string;
  /** Never throws, whatever the text. */
  open(sealed: string, identity: SealedIdentity): OpenResult;
}

const VERSION = "1";
const CIPHER = "aes-256-gcm";

/** A sealer for the records of one app id. */
export function createSealer(appId: string, keys: Reloadable<readonly SealKey[]>): Sealer {
  const associated = ({ generation, kind }: SealedIdentity) =>
    Buffer.from(`${appId}|${generation}|${kind}|${VERSION}`);

  return {
    seal(plain, identity, secret) {
      const ring = keys();
      const chosen = ring.find(({ from }) => from === secret) ?? ring[0];
      if (!chosen) throw new RangeError("the key ring is empty");
      const { id, key } = chosen;
      const iv = randomBytes(12);
      const cipher = createCipheriv(CIPHER, key, iv).setAAD(associated(identity));
      const sealed = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
      return [
        VERSION,
        id,
        ...[iv, cipher.getAuthTag(), sealed].map((part) => part.toString("base64url")),
      ].join(".");
    },

    open(sealed, identity) {
      const [version, id = "", ...parts] = sealed.split(".");
      if (version !== VERSION || parts.length !== 3) return { ok: false, why: "format" };
      const key = keys().find((candidate) => candidate.id === id)?.key;
      if (!key) return { ok: false, why: isDerived(id) ? "secret" : "key" };
      const [iv = "", tag = "", ciphertext = ""] = parts;
      try {
        const decipher = createDecipheriv(CIPHER, key, Buffer.from(iv, "base64url"), { authTagLength: 16 });
        decipher.setAAD(associated(identity)).setAuthTag(Buffer.from(tag, "base64url"));
        const plain = decipher.update(Buffer.from(ciphertext, "base64url"));
        return { ok: true, plain: Buffer.concat([plain, decipher.final()]).toString("utf8") };
      } catch {
        return { ok: false, why: "tag" };
      }
    },
  };
}
