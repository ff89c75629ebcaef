import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { mapReloadable, type Reloadable } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";

/** A signed request as the form door hands it on. */
export interface AppSignature {
  /** The header `x-signature`. */
  header: string;
  path: string;
  body: Uint8Array;
}

/** The app that signed, or undefined if none that is known did, or not now. */
export type AppSignatures = (signature: AppSignature) => string | undefined;

/** How old a signature may be, and how far the phone's clock may be wrong, seconds. */
const TOLERANCE_S = 300;

/**
 * Checks `x-signature: t=UNIX_SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 over `t`, a dot, the path, a dot and the body
 * as sent. A key that ships in an app can be taken out of it: this keeps casual strangers away, and is no login.
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
    const given = Buffer.from(hex, "hex");
    const [match] = known().filter(({ key }) => {
      const wanted = createHmac("sha256", key).update(`${time}.${path}.`).update(body).digest();
      return timingSafeEqual(wanted, given);
    });
    return match?.app;
  };
}
