import type { Database } from "../database/database.ts";
import { migrate } from "../database/migrate.ts";
import { OperatorError, StoreError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { CHANNEL, createDeliveries } from "./deliveries.ts";
import { createEndpoints } from "./endpoints.ts";
import type { Ledger } from "./ledger.ts";
import { askOf, type LedgerMethods, methodsBy } from "./methods.ts";
import { LEDGER_SCHEMA } from "./migrations.ts";
import { createOrders } from "./orders.ts";
import { createRequests } from "./requests.ts";
import { createSweep } from "./sweep.ts";

export interface LedgerOptions {
  /** The register's name (`registerName`): one database may hold several. */
  register: string;
  clock: Clock;
}

/** The ledger in a relational database. */
export function createDatabaseLedger(database: Database, { register, clock }: LedgerOptions): Ledger {
  const running = new Set<Promise<void>>();
  let prepared: Promise<LedgerMethods> | undefined;

  async function prepare(): Promise<LedgerMethods> {
    await database.start();
    await migrate(database, LEDGER_SCHEMA);
    const id = await registerId(database, register);
    return {
      ...createOrders(database, id),
      ...createEndpoints(database, id),
      ...createDeliveries(database, id),
      ...createRequests(database, id, clock),
      ...createSweep(database, id),
    };
  }

  /** Once for all operations; again after a failure, which may have been a server that was replaced by another. */
  function operations(): Promise<LedgerMethods> {
    prepared ??= prepare().catch((error: unknown) => {
      prepared = undefined;
      throw error;
    });
    return prepared;
  }

  return {
    ...methodsBy(async (op, args) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      running.add(promise);
      try {
        return await askOf(await operations())(op, args);
      } catch (error) {
        prepared = undefined;
        if (error instanceof OperatorError) throw new StoreError(op, "SCHEMA", error);
        throw error;
      } finally {
        running.delete(promise);
        resolve();
      }
    }),
    async open() {
      await operations();
    },
    async close() {
      await Promise.all(running);
      await database.stop();
    },
    watch: (listener) => database.listen(CHANNEL, listener),
  };
}

async function registerId(database: Database, name: string): Promise<number> {
  const find = () => database.all("SELECT id FROM faceid_registers WHERE name = ?", [name]);
  let [row] = await find();
  if (!row) {
    await database.run("INSERT INTO faceid_registers (name) VALUES (?) ON CONFLICT DO NOTHING", [name]);
    [row] = await find();
  }
  return Number(row?.["id"]);
}
