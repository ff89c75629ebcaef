import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import { digestToBase62, fromBase62, randomBase62, toBase62 } from "../lib/base62.ts";
import { deriveKey } from "../lib/keyed-hash.ts";
import { mapReloadable, type Reloadable } from "../lib/memoize.ts";
import type { Pii, Secret } from "../lib/redacted.ts";

/**
 * Order numbers that certify themselves (docs/architecture.md#order-numbers): 32 characters [0-9A-Za-z] =
 *
 *     mint time, seconds since the Unix epoch   6
 *     random part                              10   (59 bits)
 *     mint tag:  HMAC over the two              8   (47 bits), of a kind of its own for an upload with a photo, and for a link
 *     owner tag: HMAC over the two and owner    8   (47 bits)
 *
 * so every replica can tell without a lookup whether a number was minted by this service, for whom, and when.
 */
export interface OrderNumbers {
  /**
   * A new order number for `owner`: an end user's subject, or "" for callers without one. `now` is wall-clock milliseconds;
   * `withPhoto`: the caller supplies a photo to compare with.
   */
  mint(owner: string, now: number, withPhoto?: boolean): string;
  /** A new order number for an attempt of a verification link. No caller on the public listener owns it. */
  mintForLink(now: number): string;
  /** Undefined if this service did not mint the number. */
  certify(orderNo: string): OrderCertificate | undefined;
  /** A stable user id for an ID number: 30 letters and digits, not reversible without the secret. */
  userIdOf(idNo: Pii): string;
}

export interface OrderCertificate {
  /** Wall-clock milliseconds, to the second. */
  mintedAt: number;
  /** Whether it was minted for an upload with a photo supplied by the caller. */
  withPhoto: boolean;
  /** Whether it was minted for an attempt of a verification link. */
  ofLink: boolean;
  /** Whether the number was minted for this owner. */
  belongsTo(owner: string): boolean;
}

/** How long the vendor keeps a record, milliseconds (protocol.md 6.1). */
export const RECORD_RETENTION_MS = 3 * 24 * 60 * 60 * 1000;

const TIME = 6;
const HEAD = 16;
const TAG = 8;

const KINDS = ["mint", "mint photo", "mint link"] as const;
type Kind = (typeof KINDS)[number];

/** Of no caller: a subject has no control character. */
const LINKS = "\0links";

/** Order numbers certified with keys derived from the app secrets: the first mints, all are recognised. */
export function createOrderNumbers(secrets: Reloadable<readonly Secret[]>): OrderNumbers {
  const keys = mapReloadable(secrets, (list) =>
    list.map((secret) => ({ order: deriveKey(secret, "order"), user: deriveKey(secret, "user") })),
  );
  const current = () => {
    const [first] = keys();
    if (!first) throw new Error("order numbers need a secret");
    return first;
  };

  function mint(kind: Kind, owner: string, now: number): string {
    const { order } = current();
    const head = toBase62(Math.floor(now / 1000), TIME) + randomBase62(HEAD - TIME);
    return head + tag(order, kind, head) + tag(order, "owner", head, owner);
  }

  /** The usual kind first: every kind and key costs an HMAC. */
  function mintedWith(head: string, mintTag: string) {
    for (const kind of KINDS) {
      const key = keys().find(({ order }) => same(tag(order, kind, head), mintTag));
      if (key) return { kind, key };
    }
    return undefined;
  }

  return {
    mint: (owner, now, withPhoto = false) => mint(withPhoto ? "mint photo" : "mint", owner, now),
    mintForLink: (now) => mint("mint link", LINKS, now),
    certify(orderNo) {
      if (!/^[0-9A-Za-z]{32}$/.test(orderNo)) return undefined;
      const head = orderNo.slice(0, HEAD);
      const mintTag = orderNo.slice(HEAD, HEAD + TAG);
      const ownerTag = orderNo.slice(HEAD + TAG);
      const found = mintedWith(head, mintTag);
      if (!found) return undefined;
      const { kind, key } = found;
      return {
        withPhoto: kind === "mint photo",
        ofLink: kind === "mint link",
        mintedAt: fromBase62(head.slice(0, TIME)) * 1000,
        belongsTo: (owner) => same(tag(key.order, "owner", head, owner), ownerTag),
      };
    },
    userIdOf: (idNo) =>
      digestToBase62(createHmac("sha256", current().user).update(idNo.reveal()).digest("hex"), 30),
  };
}

function tag(key: KeyObject, kind: string, head: string, owner = ""): string {
  return digestToBase62(createHmac("sha256", key).update(`${kind}\0${head}\0${owner}`).digest("hex"), TAG);
}

function same(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
