import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { mapReloadable, type Reloadable } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";

/** A signed request as received by the form door. */
export interface AppSignature {
  /** The header `x-signature`. */
  header: string;
  path: string;
  body: Uint8Array;
}

/**
 * Returns the app that signed; undefined if the signature is not by a known key, or is too old or too far
 * ahead.
 */
export type AppSignatures = (signature: AppSignature) => string | undefined;

/** Maximum age of a signature, and maximum error of the phone's clock, seconds. */
const TOLERANCE_S = 300;

/**
 * Checks `x-signature: t=UNIX_SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 over `t`, a dot, the path, a dot
 * and the body as sent. A key shipped in an app can be extracted: this deters casual abuse and is not
 * authentication.
 */
export function createAppSignatures(
  keys: Reloadable<readonly { caller: string; token: Secret }[]>,
  clock: Clock,
): AppSignatures {
  const known = mapReloadable(keys, (list) =>
    list.map(({ caller, token }) => ({ app: caller, key: token.reveal() })),
  );

  return ({ header, path, body }) => {
    const [, time = "", hex = ""] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header) ?? [];
    if (hex === "" || Math.abs(clock.now() / 1000 - Number(time)) > TOLERANCE_S) return undefined;
    const presented = Buffer.from(hex, "hex");
    const [match] = known().filter(({ key }) => {
      const expected = createHmac("sha256", key).update(`${time}.${path}.`).update(body).digest();
      return timingSafeEqual(expected, presented);
    });
    return match?.app;
  };
}
