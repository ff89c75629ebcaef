import { afterAll, beforeAll, describe } from "vitest";
import { parseLedgerUrl } from "../../src/config/ledger.ts";
import type { PostgresLocation } from "../../src/config/postgres-url.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { missingPostgres, type PostgresServer, startPostgres, stopPostgres } from "../support/postgres.ts";
import { describeLedger } from "./ledger.contract.ts";

describe.skipIf(missingPostgres())("with a server", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(stopPostgres);

  describeLedger("postgres", async () => {
    const location = parseLedgerUrl(await server.createDatabase()) as PostgresLocation;
    return {
      async open(register = "app@host") {
        const ledger = openLedger(location, { register, clock: systemClock });
        await ledger.open();
        return ledger;
      },
    };
  });
});
