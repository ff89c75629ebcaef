import { writeSync } from "node:fs";
import { systemClock } from "../../src/lib/clock.ts";
import { createFileStore } from "../../src/tickets/stores/file-store.ts";

/**
 * One process of the soak: adds to the register's total and to its own share until it is killed, and says every addition
 * that was acknowledged on stdout before it begins the next: `ok TOTAL`, or `unknown` when it cannot know.
 */
const [directory = "", name = ""] = process.argv.slice(2);
const timings = { storeTimeoutMs: 1_500, refreshIntervalMs: 1_200_000 };
const store = createFileStore({ directory, clock: systemClock, timings });
await store.open();

for (;;) {
  let line = "";
  try {
    const { value, version } = await store.read();
    const state = JSON.parse(value ?? '{"total":0,"shares":{}}') as Tally;
    const total = state.total + 1;
    const shares = { ...state.shares, [name]: (state.shares[name] ?? 0) + 1 };
    if (await store.compareAndSet(version, JSON.stringify({ total, shares }))) line = `ok ${total}\n`;
  } catch {
    line = "unknown\n";
  }
  // Synchronous: what was acknowledged must not be forgotten by being killed.
  if (line) writeSync(1, line);
}

interface Tally {
  total: number;
  shares: Record<string, number>;
}
