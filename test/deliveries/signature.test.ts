import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { newWebhookSecret, signedHeaders, webhookKey } from "../../src/domain/webhook-signature.ts";
import { Secret } from "../../src/lib/redacted.ts";

const ofBytes = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString("base64")}`;
const message = { id: "evt_order1", body: '{"type":"order.completed","data":{"reference":"é"}}' };

test.each([
  [24, true],
  [64, true],
  [23, false],
  [65, false],
])("a secret of %i bytes: %s", (bytes, valid) => {
  expect(webhookKey(ofBytes(bytes))?.length).toBe(valid ? bytes : undefined);
});

test.each(["", "whsec_", "secret", ofBytes(24).slice(6), `${ofBytes(24)}!`, `whsec_${"*".repeat(40)}`])(
  "no secret: %j",
  (text) => {
    expect(webhookKey(text)).toBeUndefined();
  },
);

test("a secret is accepted with and without padding", () => {
  expect(webhookKey(ofBytes(25).replace(/=+$/, ""))).toEqual(webhookKey(ofBytes(25)));
});

test("a new secret is a valid one, and never the same", () => {
  const [one, other] = [newWebhookSecret(), newWebhookSecret()];
  expect(webhookKey(one)?.length).toBe(24);
  expect(one).not.toBe(other);
});

describe("standardwebhooks", () => {
  const [old, current] = [newWebhookSecret(), newWebhookSecret()];
  const now = Date.now();

  test("verifies a message by any of its secrets", () => {
    const headers = signedHeaders(message, [new Secret(old), new Secret(current)], now);
    expect(headers["webhook-id"]).toBe("evt_order1");
    for (const secret of [old, current]) {
      expect(new Webhook(secret).verify(message.body, headers)).toEqual(JSON.parse(message.body));
    }
    expect(() => new Webhook(newWebhookSecret()).verify(message.body, headers)).toThrow("signature");
    expect(() => new Webhook(old).verify(`${message.body} `, headers)).toThrow("signature");
  });

  test("makes the same signature", () => {
    const { "webhook-signature": ours } = signedHeaders(message, [new Secret(old)], now);
    expect(ours).toBe(new Webhook(old).sign(message.id, new Date(now), message.body));
  });
});
