import type { Ledger } from "../../src/ledger/ledger.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { newOrder, passed } from "../ledger/orders.ts";
import { type Harness, type HarnessOptions, startHarness } from "./harness.ts";

/** A bearer token of an internal caller, and a header with it. */
export const TOKEN = "open-sesame-open-sesame";
export const BEARER = { authorization: `Bearer ${TOKEN}` };

/** The shipped service over a ledger in memory, whose orders a test ends by hand. */
export interface Subscribed extends Harness {
  ledger: Ledger;
  /** Orders that end now; their event ids, in sequence. */
  end(count?: number): Promise<string[]>;
}

export async function startSubscribed({
  env,
  overrides,
  ...options
}: HarnessOptions = {}): Promise<Subscribed> {
  const ledger = openLedger({ kind: "memory" }, { register: "test", clock: systemClock });
  await ledger.open();
  const harness = await startHarness({
    ...options,
    env: {
      GRPC_AUTH_TOKENS: `ops:${TOKEN}`,
      HTTP_AUTH_TOKENS: `ops:${TOKEN}`,
      LEDGER_URL: "sqlite:unused",
      ...env,
    },
    overrides: { ...overrides, ledger },
  });
  let orders = 0;
  return {
    ...harness,
    ledger,
    async end(count = 1) {
      const ids: string[] = [];
      for (let i = 0; i < count; i++) {
        const orderNo = `order${++orders}`;
        const now = Date.now();
        await ledger.put([newOrder(orderNo, { createdAt: now, dueAt: now + 3_600_000 })]);
        await ledger.end(orderNo, passed(now), {
          endpoints: harness.config.webhooks.map(({ name }) => name),
        });
        ids.push(`evt_${orderNo}`);
      }
      return ids;
    },
  };
}
