import { describe, expect, test } from "vitest";
import { createRound } from "../../src/deliveries/round.ts";

test("a round begins open, with the failures before it", () => {
  const round = createRound(3);
  expect([round.open, round.failures, [...round.failed]]).toEqual([true, 3, []]);
  expect(round.workedSince(0)).toBe(false);
});

describe("a round ends", () => {
  test("with one failure that is certainly the endpoint's", () => {
    const round = createRound(0);
    round.endpointFailed(1, false);
    expect([round.open, round.failures, [...round.failed]]).toEqual([false, 0, [1]]);
  });

  test("with doubtful failures of two deliveries, not with two of one", () => {
    const round = createRound(0);
    round.endpointFailed(1, true);
    expect(round.open).toBe(true);
    round.endpointFailed(1, true);
    expect(round.open).toBe(true);
    round.endpointFailed(2, true);
    expect([round.open, [...round.failed]]).toEqual([false, [1, 2]]);
  });

  test("with a doubtful failure and a certain one", () => {
    const round = createRound(0);
    round.endpointFailed(1, true);
    round.endpointFailed(1, false);
    expect(round.open).toBe(false);
  });
});

test("a success takes everything back, and clears what failed while it went on", () => {
  const round = createRound(5);
  round.endpointFailed(1, false);
  round.succeeded(100);
  expect([round.open, round.failures, [...round.failed]]).toEqual([true, 0, []]);
  expect([round.workedSince(99), round.workedSince(100), round.workedSince(101)]).toEqual([
    true,
    false,
    false,
  ]);
});
