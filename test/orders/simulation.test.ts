import { describe, expect, test } from "vitest";
import { SCENARIOS } from "./simulation/scenarios.ts";
import { simulate } from "./simulation/simulation.ts";

describe.each(Object.entries(SCENARIOS))("%s", (_name, scenario) => {
  test.each([1, 2])(
    "seed %i: every answered order has one end, the right one, and its event arrives",
    async (seed) => {
      const { broken, answered, lost } = await simulate(seed, scenario);
      expect(broken).toEqual([]);
      expect(answered).toBeGreaterThan(15);
      // Only what was in the memory of a process that crashed while the ledger was unreachable.
      expect(lost).toBeLessThan(3);
    },
  );
});

test("the same seed is the same history", async () => {
  const [one, two] = [await simulate(3, SCENARIOS.crashes), await simulate(3, SCENARIOS.crashes)];
  expect(one).toEqual(two);
  expect((await simulate(4, SCENARIOS.crashes)).hash).not.toBe(one.hash);
});
