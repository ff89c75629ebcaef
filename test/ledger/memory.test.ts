import { createSqlite } from "../../src/database/sqlite.ts";
import { createDatabaseLedger } from "../../src/ledger/database-ledger.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { describeLedger } from "./ledger.contract.ts";

describeLedger("memory", async () => {
  const database = createSqlite(":memory:");
  return {
    async open(register = "app@host") {
      // It is gone once it is stopped, and the handles share it.
      const shared = { ...database, stop: async () => undefined };
      const ledger = createDatabaseLedger(shared, { register, clock: systemClock });
      await ledger.open();
      return ledger;
    },
    end: () => database.stop(),
  };
});
