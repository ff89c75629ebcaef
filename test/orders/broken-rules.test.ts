import { beforeEach, expect, test, vi } from "vitest";
import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { nextLook as NextLook } from "../../src/orders/next-look.ts";
import { SCENARIOS } from "./simulation/scenarios.ts";
import { type Scenario, simulate } from "./simulation/simulation.ts";

interface Planted {
  nextLook?: ((real: typeof NextLook) => typeof NextLook) | undefined;
  jumps?: boolean | undefined;
}

// Faults planted in what the simulation runs: each breaks an invariant within a few histories.
const planted = vi.hoisted((): Planted => ({}));

vi.mock("../../src/orders/next-look.ts", async (original) => {
  const real = await original<typeof import("../../src/orders/next-look.ts")>();
  const nextLook: typeof NextLook = (...args) =>
    (planted.nextLook?.(real.nextLook) ?? real.nextLook)(...args);
  return { ...real, nextLook };
});
vi.mock("../../src/orders/steady-clock.ts", async (original) => {
  const real = await original<typeof import("../../src/orders/steady-clock.ts")>();
  const createSteadyClock: typeof real.createSteadyClock = (clock) =>
    planted.jumps ? clock : real.createSteadyClock(clock);
  return { ...real, createSteadyClock };
});
beforeEach(() => {
  [planted.nextLook, planted.jumps] = [undefined, undefined];
});

async function firstBroken(
  scenario: Scenario,
  ledger?: (ledger: Ledger) => Ledger,
): Promise<string | undefined> {
  for (let seed = 1; seed <= 4; seed++) {
    const { broken } = await simulate(seed, scenario, ledger && { ledger });
    if (broken.length > 0) return broken[0];
  }
  return undefined;
}

test.each<[string, Scenario, (real: typeof NextLook) => typeof NextLook]>([
  [
    "no record is final at once",
    SCENARIOS.calm,
    (real) => (order, answer, now) =>
      answer.kind === "no_record"
        ? {
            end: { state: OrderState.EXPIRED, endedAt: now, judgement: undefined, evidence: answer.evidence },
          }
        : real(order, answer, now),
  ],
  [
    "a failed look counts as one without a record",
    SCENARIOS["a vendor down for an hour"],
    (real) => (order, answer, now) =>
      real(
        order,
        answer.kind === "failed" ? { kind: "no_record", evidence: { code: "66660011" } } : answer,
        now,
      ),
  ],
  [
    "a failed look gives up",
    SCENARIOS["a vendor down for an hour"],
    (real) => (order, answer, now) =>
      answer.kind === "failed"
        ? { end: { state: OrderState.UNKNOWN, endedAt: now, judgement: undefined, evidence: { code: "" } } }
        : real(order, answer, now),
  ],
  [
    "looks every five seconds",
    SCENARIOS.calm,
    (real) => (order, answer, now) => {
      const next = real(order, answer, now);
      return next.end ? next : { ...next, dueAt: now + 5_000 };
    },
  ],
  [
    "looks every ten minutes",
    SCENARIOS.calm,
    (real) => (order, answer, now) => {
      const next = real(order, answer, now);
      return next.end ? next : { ...next, dueAt: now + 600_000 };
    },
  ],
  [
    "never expires",
    SCENARIOS.calm,
    (real) => (order, answer, now) => real({ ...order, quietSince: undefined }, answer, now),
  ],
])("a schedule by which %s is caught", async (_what, scenario, nextLook) => {
  planted.nextLook = nextLook;
  expect(await firstBroken(scenario)).toBeDefined();
});

test("a room that follows a jumping clock is caught", async () => {
  planted.jumps = true;
  expect(await firstBroken(SCENARIOS["a clock that jumps by days"])).toBeDefined();
});

test.each<[string, Scenario, (ledger: Ledger) => Ledger]>([
  [
    "leases nothing",
    SCENARIOS.calm,
    (ledger) => ({ ...ledger, claim: (claim) => ledger.claim({ ...claim, leaseMs: 0 }) }),
  ],
  [
    "acknowledges what it has not written",
    SCENARIOS.calm,
    (ledger) => ({ ...ledger, put: async (orders) => (orders.length > 1 ? ledger.put(orders) : undefined) }),
  ],
  [
    "ends what it was told to put back",
    SCENARIOS.calm,
    (ledger) => ({
      ...ledger,
      async postpone(orderNo, token) {
        const end = { state: OrderState.EXPIRED, endedAt: 0, judgement: undefined, evidence: { code: "" } };
        await ledger.end(orderNo, end, { token, endpoints: [] });
        return true;
      },
    }),
  ],
])("a ledger that %s is caught", async (_what, scenario, ledger) => {
  expect(await firstBroken(scenario, ledger)).toBeDefined();
});
