import { expect, test } from "vitest";
import { createPace } from "../../src/orders/pace.ts";
import { createSpacing } from "../../src/orders/spacing.ts";
import { createSteadyClock } from "../../src/orders/steady-clock.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A machine's clocks, both of which a test sets. */
function machine() {
  const at = { wall: 1_000_000, monotonic: 0 };
  const clock = {
    now: () => at.wall + at.monotonic,
    monotonic: () => at.monotonic,
    sleep: async () => undefined,
  };
  return { at, clock };
}

test("a steady clock takes up small corrections at once, and a jump once it has lasted for an hour", () => {
  const { at, clock } = machine();
  const steady = createSteadyClock(clock);
  const ahead = () => steady.now() - 1_000_000 - at.monotonic;
  at.wall += MINUTE;
  expect(ahead()).toBe(MINUTE);
  at.wall += 100 * HOUR;
  expect(ahead()).toBe(MINUTE);
  at.monotonic += HOUR - 1;
  expect(ahead()).toBe(MINUTE);
  // Taken back in time: forgotten.
  at.wall -= 100 * HOUR;
  expect(ahead()).toBe(MINUTE);
  at.wall += 50 * HOUR;
  expect(ahead()).toBe(MINUTE);
  at.monotonic += HOUR - 1;
  // Another jump begins another hour.
  at.wall += 50 * HOUR;
  expect(ahead()).toBe(MINUTE);
  at.monotonic += HOUR;
  expect(ahead()).toBe(100 * HOUR + MINUTE);
});

test("a pace lets a burst through, and then its rate", () => {
  const { at, clock } = machine();
  const pace = createPace({ perSecond: 20, burst: 20 }, clock);
  expect([pace.available(), pace.waitMs()]).toEqual([20, 0]);
  pace.take(20);
  expect([pace.available(), pace.waitMs()]).toEqual([0, 50]);
  at.monotonic += 50;
  expect([pace.available(), pace.waitMs()]).toEqual([1, 0]);
  at.monotonic += 10_000;
  expect(pace.available()).toBe(20);
});

test("the gap of an order holds for this process, and for this order", () => {
  const { at, clock } = machine();
  const spacing = createSpacing(clock);
  expect(spacing.leftMs("a")).toBe(0);
  spacing.looked("a", 40_000);
  at.monotonic += 10_000;
  expect([spacing.leftMs("a"), spacing.leftMs("b")]).toEqual([28_000, 0]);
  for (let i = 0; i < 30_000; i++) spacing.looked(`x${i}`, 1);
  expect(spacing.leftMs("a")).toBe(28_000);
  at.monotonic += 28_000;
  expect(spacing.leftMs("a")).toBe(0);
});
