import { describe, expect, test } from "vitest";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { type Outcome, simulate } from "./simulation.ts";
import type { Boundary } from "./store-model.ts";
import { TAILS } from "./tails.ts";

/** What went wrong, with what reproduces it. */
function complaint({ name }: Scenario, { seed, violations, trace }: Outcome): string {
  return `npm run simulate -- --scenario ${name} --from ${seed} --seeds 1\n${violations.join("\n")}\n${trace.slice(-60).join("\n")}`;
}

/** Every invariant holds, whatever the seed. */
async function sound(scenario: Scenario, seed: number, hours = 2, replicas = 4): Promise<Outcome> {
  const outcome = await simulate({ seed, scenario, hours, replicas });
  expect(outcome.violations, complaint(scenario, outcome)).toEqual([]);
  return outcome;
}

/** And known seeds are not among the one in a thousand. */
async function run(scenario: Scenario, seed: number, hours = 2, replicas = 4): Promise<Outcome> {
  const outcome = await sound(scenario, seed, hours, replicas);
  expect(outcome.worstOutageS, complaint(scenario, outcome)).toBeLessThanOrEqual(
    TAILS[scenario.name]?.p999S ?? 0,
  );
  return outcome;
}

describe("fixed seeds", () => {
  test.each(SCENARIOS)(
    "every rule holds and outages stay within the documented tail: $name",
    async (scenario) => {
      let faults = 0;
      for (let seed = 1; seed <= 6; seed++) faults += (await run(scenario, seed)).faults;
      expect(faults > 0).toBe(!["none", "hastykeys", "secrets"].includes(scenario.name));
    },
  );
});

describe("seeds that once failed", () => {
  const named = (wanted: string) => SCENARIOS.find(({ name }) => name === wanted)!;

  test.each([
    ["a clock that went back by an hour held every refresh back for an hour", "everything", 49, 3],
    ["a store that forgot was not given back its pair while a refresh kept failing", "everything", 98, 3],
    ["three processes died one after the other over one staged token", "crash", 4, 3],
    [
      "three refreshers died one after the other, each noticed only when its lease was over",
      "crash",
      862447757,
      3,
    ],
  ])("a seed that once failed passes: %s", async (_what, scenario, seed, hours) => {
    await run(named(scenario), seed, hours);
  });
});

test("fresh random seeds stay within the documented tail", async () => {
  const first = Math.floor(Math.random() * 2 ** 31);
  console.log(`fresh seeds from ${first}`);
  const beyond: string[] = [];
  for (const scenario of SCENARIOS) {
    const { p999S = 0, worstS = 0 } = TAILS[scenario.name] ?? {};
    for (let i = 0; i < 3; i++) {
      const outcome = await sound(scenario, first + i);
      expect(outcome.worstOutageS, complaint(scenario, outcome)).toBeLessThanOrEqual(worstS);
      if (outcome.worstOutageS > p999S)
        beyond.push(`${scenario.name} ${outcome.seed}: ${outcome.worstOutageS} s`);
    }
  }
  // One process in a thousand may be beyond, so four runs in a thousand at most; that four of these 42 are, happens three
  // times in a hundred thousand.
  expect(beyond.length, beyond.join("\n")).toBeLessThanOrEqual(3);
});

describe("a single fault at any point costs no process more than a second", () => {
  const boundaries: Boundary[] = ["before_token", "after_token", "before_sign", "after_sign"];
  const places = [
    ...boundaries.map((boundary) => ({ boundary, nth: 1 })),
    ...[1, 2, 3].flatMap((nth) => [
      { boundary: "before_write" as const, nth },
      { boundary: "after_write" as const, nth },
    ]),
  ];
  const faults: Omit<NonNullable<Scenario["once"]>, "boundary" | "nth">[] = [
    { crash: true },
    { pauseMs: 4_000 },
    { pauseMs: 14_700 },
    { pauseMs: 45_000 },
    { pauseMs: 300_000 },
    { failOverMs: 3_000 },
    { wipe: true },
    { jumpMs: 7_200_000 },
    { jumpMs: -7_200_000 },
  ];

  test.each(faults.map((fault) => [JSON.stringify(fault), fault] as const))(
    "the fault %s costs no process more than a second",
    async (_what, fault) => {
      for (const place of places) {
        const scenario: Scenario = {
          name: `once ${JSON.stringify({ ...fault, ...place })}`,
          once: { ...fault, ...place },
        };
        const outcome = await simulate({ seed: 7, scenario, hours: 1 });
        expect(outcome.faults, scenario.name).toBe(1);
        expect(outcome.violations, complaint(scenario, outcome)).toEqual([]);
        expect(outcome.worstOutageS, complaint(scenario, outcome)).toBeLessThanOrEqual(1);
      }
    },
  );

  test("a single lost reply costs no process any time", async () => {
    const scenario: Scenario = {
      name: "one reply lost",
      once: { boundary: "before_token", nth: 1, loseReply: true },
    };
    const outcome = await simulate({ seed: 7, scenario, hours: 1 });
    expect([outcome.faults, outcome.worstOutageS, outcome.violations]).toEqual([2, 0, []]);
  });
});

describe("the load on the vendor", () => {
  test.each([1, 4, 32])(
    "%i processes without faults make three token calls an hour between them",
    async (replicas) => {
      for (const seed of [1, 2]) {
        const { tokenCallsPerHour, uses } = await run({ name: "none" }, seed, 3, replicas);
        expect(tokenCallsPerHour).toBeGreaterThan(2.98);
        expect(tokenCallsPerHour).toBeLessThan(3.01);
        expect(uses).toBeGreaterThan(replicas * 10_000);
      }
    },
  );

  test("against another installation that rotates every 30 s the fleet makes at most a dozen token calls an hour", async () => {
    const scenario: Scenario = { name: "a stranger", foreignEveryMs: 30_000 };
    const { tokenCalls, forced } = await simulate({ seed: 1, scenario, hours: 1 });
    expect(forced).toBeGreaterThan(3);
    expect(tokenCalls).toBeLessThanOrEqual(12);
  });

  test("every read succeeds while the store is unreachable for 38 minutes from when a refresh was due", async () => {
    const scenario: Scenario = {
      name: "store away",
      storeAway: { fromMs: 1_195_000, toMs: 1_195_000 + 38 * 60_000 },
    };
    const { uses } = await run(scenario, 1);
    expect(uses).toBeGreaterThan(28_000);
  });
});
