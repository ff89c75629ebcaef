// Puts and ends orders in a ledger until it is killed, and prints the number of each once it is there.
import { writeSync } from "node:fs";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { newOrder, passed, T0 } from "./orders.ts";

const [directory = "", name = ""] = process.argv.slice(2);
const ledger = openLedger({ kind: "sqlite", directory }, { register: "app@host", clock: systemClock });
await ledger.open();
for (let i = 0; ; i++) {
  const orderNo = `${name}${i}`;
  try {
    await ledger.put([newOrder(orderNo)]);
    await ledger.end(orderNo, passed(T0), { endpoints: ["hook"] });
    writeSync(1, `${orderNo}\n`);
  } catch {
    // The others had the lock for too long: the order is not promised.
  }
}
