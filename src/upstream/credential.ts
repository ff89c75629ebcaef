import { UpstreamError } from "../errors.ts";
import { Secret } from "../lib/secret.ts";
import { number, text } from "./values.ts";
import type { Reply } from "./wire.ts";

/** A token or ticket, and how long the vendor says it lives, from the moment of asking. */
export interface Credential {
  value: Secret;
  /** Milliseconds, from `expire_in`; `expire_time` is never looked at (protocol.md 1). */
  lifeMs: number;
}

/** The token or ticket called `name` in a successful answer; throws UpstreamError `malformed` where there is none. */
export function credential(
  endpoint: "access_token" | "sign_ticket" | "nonce_ticket",
  { bizSeqNo }: Reply,
  fields: Readonly<Record<string, unknown>>,
  name: string,
): Credential {
  const value = text(fields[name]);
  const seconds = number(fields["expire_in"]);
  if (value === undefined || seconds === undefined || seconds <= 0) {
    throw new UpstreamError(endpoint, "malformed", { bizSeqNo });
  }
  return { value: new Secret(value), lifeMs: seconds * 1000 };
}
