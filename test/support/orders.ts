import { StoreError } from "../../src/errors.ts";
import type { Ledger, LedgerOrder } from "../../src/ledger/ledger.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createTurnableClock, type TurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { eventually, type Harness, type HarnessOptions, startHarness } from "./harness.ts";

/** A ledger in memory that a test can look into and make unreachable. */
export interface TestLedger extends Ledger {
  down: boolean;
  /** Looks begun and not settled. */
  looking: ReadonlySet<string>;
}

export function createTestLedger(clock: TurnableClock): TestLedger {
  const inner = openLedger({ kind: "memory" }, { register: "test", clock });
  const looking = new Set<string>();
  const opened = inner.open();
  const own = {
    down: false,
    looking,
    open: () => opened,
    // It is gone once it is closed, and others may share it.
    close: async () => undefined,
    watch: (listener: () => void) => inner.watch(listener),
  };
  return new Proxy(own, {
    get(target, name) {
      if (name in target) return Reflect.get(target, name) as unknown;
      return async (...args: unknown[]) => {
        if (own.down) throw new StoreError(String(name), "ECONNREFUSED");
        const method = Reflect.get(inner, name) as (...args: unknown[]) => Promise<unknown>;
        const result = await method(...args);
        if (name === "claim") for (const { orderNo } of result as LedgerOrder[]) looking.add(orderNo);
        if (name === "postpone" || name === "end") looking.delete(String(args[0]));
        return result;
      };
    },
  }) as unknown as TestLedger;
}

export interface OrdersHarness extends Harness {
  clock: TurnableClock;
  ledger: TestLedger;
  /** Turns the clock of service and sandbox in steps, and lets every due look end between them. */
  turn(ms: number, stepMs?: number): Promise<void>;
}

/** The shipped service with a ledger in memory, on the sandbox's clock. */
export async function startOrders(
  { overrides, sandbox, env, ...options }: HarnessOptions = {},
  clock = createTurnableClock(systemClock),
  ledger = createTestLedger(clock),
): Promise<OrdersHarness> {
  const harness = await startHarness({
    ...options,
    env: { LEDGER_URL: "memory:", ...env },
    sandbox: { ...sandbox, sharedClock: clock },
    overrides: { ...overrides, clock, ledger },
  });
  return {
    ...harness,
    clock,
    ledger,
    async turn(ms, stepMs = 5_000) {
      const idle = () =>
        harness.service.readiness().ready &&
        (ledger.down || ledger.looking.size === 0) &&
        harness.wire.calls.slice(-5).every(({ outcome }) => outcome !== "open");
      for (let turned = 0; turned < ms; turned += stepMs) {
        clock.advance(Math.min(stepMs, ms - turned) - 1_000);
        // A refresh that is due begins, and ends.
        await settled(idle);
        // The collector looks at nothing before that, and polls every second.
        clock.advance(1_000);
        await settled(idle);
      }
    },
  };
}

/** Resolves once `idle` has held for a while; the clock would stand still for what waits for more than turns of the event loop. */
async function settled(idle: () => boolean): Promise<void> {
  for (let held = 0, turns = 0; held < 30; turns++) {
    held = idle() ? held + 1 : 0;
    if (turns > 2_000) await eventually(idle);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
