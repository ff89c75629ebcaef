import { createHmac, randomBytes } from "node:crypto";
import type { Secret } from "../lib/redacted.ts";

/**
 * Signatures by Standard Webhooks (https://www.standardwebhooks.com). These few lines are ours: the published package holds one
 * secret and computes SHA-256 in JavaScript, on the thread that serves calls. It verifies every request in our tests.
 */
const PREFIX = "whsec_";
/** Bytes of a secret, from the specification. */
const [LEAST_BYTES, MOST_BYTES] = [24, 64];

/** The key in a secret `whsec_…`; undefined if it is none. */
export function webhookKey(secret: string): Buffer | undefined {
  if (!secret.startsWith(PREFIX)) return undefined;
  const text = secret.slice(PREFIX.length);
  const key = Buffer.from(text, "base64");
  // Node skips what is not Base64; receivers' libraries do not.
  if (key.toString("base64").replace(/=+$/, "") !== text.replace(/=+$/, "")) return undefined;
  return key.length >= LEAST_BYTES && key.length <= MOST_BYTES ? key : undefined;
}

/** A new secret, `whsec_…`. */
export const newWebhookSecret = (): string => PREFIX + randomBytes(LEAST_BYTES).toString("base64");

/**
 * The headers of a webhook: its id, the time of this try, and one signature by each secret, so that receivers may hold any of
 * them while a secret is rotated.
 */
export function signedHeaders(
  { id, body }: { id: string; body: string },
  secrets: readonly Secret[],
  now: number,
): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000));
  const signatures = secrets.map((secret) => {
    const key = webhookKey(secret.reveal());
    if (!key) throw new Error("not a webhook secret");
    return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
    "content-type": "application/json",
  };
}
