import { describe, expect, test } from "vitest";
import { MUTANTS } from "./mutants.ts";
import { createNaive } from "./naive.ts";
import { SCENARIOS } from "./scenarios.ts";
import { simulate } from "./simulation.ts";

const named = (wanted: string) => SCENARIOS.find(({ name }) => name === wanted)!;

test("the same seed repeats the same history, and a different seed gives a different one", async () => {
  const hash = async (seed: number) =>
    (await simulate({ seed, scenario: named("everything"), hours: 1 })).hash;
  const first = await hash(3);
  expect(await hash(3)).toBe(first);
  expect(await hash(4)).not.toBe(first);
});

describe("broken protocols fail, or the other simulations prove nothing", () => {
  test.each([
    ["pause", 600],
    ["clockjump", 600],
  ])(
    "a naive lock with a TTL leaves the service without a pair for minutes: %s",
    async (scenario, leastS) => {
      let worst = 0;
      for (let seed = 1; seed <= 10 && worst < leastS; seed++) {
        worst = Math.max(
          worst,
          (await simulate({ seed, scenario: named(scenario), create: createNaive })).worstOutageS,
        );
      }
      expect(worst).toBeGreaterThanOrEqual(leastS);
    },
  );

  test.each(MUTANTS)(
    "the simulation notices a protocol without the rule: $rule",
    async ({ scenario, protocol }) => {
      const caught: string[] = [];
      for (let seed = 1; seed <= 60 && caught.length === 0; seed++) {
        const { violations } = await simulate({ seed, scenario, protocol, hours: 1 });
        caught.push(...violations);
      }
      expect(caught).not.toEqual([]);
      // And with it, the same seeds are clean.
      expect((await simulate({ seed: 1, scenario, hours: 1 })).violations).toEqual([]);
    },
  );
});
