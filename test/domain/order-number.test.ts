import { expect, test } from "vitest";
import { createOrderNumbers } from "../../src/domain/order-number.ts";
import { Pii, Secret } from "../../src/lib/redacted.ts";

const current = new Secret("a".repeat(64));
const next = new Secret("b".repeat(64));
const orderNumbers = createOrderNumbers(() => [current]);
const now = Date.UTC(2026, 10, 23, 12, 0, 0);

test("a minted order number certifies that this service minted it, when, and for whom", () => {
  const orderNo = orderNumbers.mint("user-1", now + 999);
  expect(orderNo).toMatch(/^[0-9A-Za-z]{32}$/);
  const certificate = orderNumbers.certify(orderNo);
  expect(certificate?.mintedAt).toBe(now);
  expect(certificate?.belongsTo("user-1")).toBe(true);
  expect(certificate?.belongsTo("user-2")).toBe(false);
  expect(certificate?.belongsTo("")).toBe(false);
});

test("an order number tells whether it was minted for an upload with a photo", () => {
  expect(orderNumbers.certify(orderNumbers.mint("user-1", now))?.withPhoto).toBe(false);
  const certificate = orderNumbers.certify(orderNumbers.mint("user-1", now, true));
  expect(certificate?.withPhoto).toBe(true);
  expect([certificate?.mintedAt, certificate?.belongsTo("user-1"), certificate?.belongsTo("")]).toEqual([
    now,
    true,
    false,
  ]);
});

test("changing any one character of an order number invalidates it or its owner", () => {
  const orderNo = orderNumbers.mint("user-1", now);
  for (let i = 0; i < orderNo.length; i++) {
    const tampered = orderNo.slice(0, i) + (orderNo[i] === "0" ? "1" : "0") + orderNo.slice(i + 1);
    expect(orderNumbers.certify(tampered)?.belongsTo("user-1") ?? false).toBe(false);
  }
});

test("a guessed order number is not certified", () => {
  const guesses = [
    "",
    "0".repeat(32),
    "A".repeat(31),
    "A".repeat(33),
    `${"A".repeat(31)}-`,
    createOrderNumbers(() => [new Secret("x")]).mint("", now),
  ];
  for (const guess of guesses) expect(orderNumbers.certify(guess)).toBeUndefined();
});

test("with two secrets configured, order numbers of either are recognised", () => {
  const rotating = createOrderNumbers(() => [next, current]);
  expect(rotating.certify(orderNumbers.mint("", now))?.belongsTo("")).toBe(true);
  expect(rotating.certify(rotating.mint("", now))?.belongsTo("")).toBe(true);
  expect(orderNumbers.certify(rotating.mint("", now))).toBeUndefined();
});

test("minted order numbers do not repeat", () => {
  expect(new Set(Array.from({ length: 10_000 }, () => orderNumbers.mint("", now))).size).toBe(10_000);
});

test("a user id is stable, has 30 letters and digits, and depends on the secret", () => {
  const userId = orderNumbers.userIdOf(new Pii("11010519491231002X"));
  expect(userId).toMatch(/^[0-9A-Za-z]{30}$/);
  expect(orderNumbers.userIdOf(new Pii("11010519491231002X"))).toBe(userId);
  expect(orderNumbers.userIdOf(new Pii("110105194912310021"))).not.toBe(userId);
  expect(createOrderNumbers(() => [next]).userIdOf(new Pii("11010519491231002X"))).not.toBe(userId);
});
