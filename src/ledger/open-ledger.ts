import type { LedgerLocation } from "../config/ledger.ts";
import type { PostgresLogin } from "../database/postgres-connection.ts";
import { OperatorError, StoreError } from "../errors.ts";
import { createChangeHints } from "../lib/change-hints.ts";
import type { OrderEvents } from "../orders/events.ts";
import type { LedgerOptions } from "./database-ledger.ts";
import type { Ledger } from "./ledger.ts";
import { askOf, methodsBy } from "./methods.ts";

interface LoadOptions extends LedgerOptions {
  /** The current login to PostgreSQL, if it may be rotated. */
  login?: (() => PostgresLogin) | undefined;
}

export interface OpenLedgerOptions extends LoadOptions {
  events?: Pick<OrderEvents, "ledgerAsked"> | undefined;
}

/** The ledger at a location, not yet open. Its engine is loaded when it opens: most services have none. */
export function openLedger(location: LedgerLocation, { events, ...options }: OpenLedgerOptions): Ledger {
  const { clock } = options;
  const hints = createChangeHints();
  let engine: Ledger | undefined;

  async function observed(op: string, work: () => Promise<unknown>): Promise<unknown> {
    const startedAt = clock.monotonic();
    const report = (outcome: { ok: boolean; error?: unknown }) =>
      events?.ledgerAsked({ op, durationMs: clock.monotonic() - startedAt, ...outcome });
    try {
      const answer = await work();
      report({ ok: true });
      return answer;
    } catch (error) {
      report({ ok: false, error });
      throw error;
    }
  }

  return {
    ...methodsBy((op, args) =>
      observed(op, async () => {
        if (!engine) throw new StoreError(op, "CLOSED");
        return askOf(engine)(op, args);
      }),
    ),
    async open() {
      const opened = await load(location, options);
      engine = opened;
      opened.watch(() => hints.fire());
      await observed("open", () => opened.open()).catch((error: unknown) => {
        // Else it is tried again by every operation.
        if (error instanceof OperatorError) throw error;
      });
    },
    async close() {
      hints.close();
      await engine?.close();
    },
    watch: (listener) => hints.watch(listener),
  };
}

async function load(location: LedgerLocation, { login, ...options }: LoadOptions): Promise<Ledger> {
  switch (location.kind) {
    case "memory": {
      const { createSqlite } = await import("../database/sqlite.ts");
      const { createDatabaseLedger } = await import("./database-ledger.ts");
      return createDatabaseLedger(createSqlite(":memory:"), options);
    }
    case "sqlite": {
      const { createThreadedLedger } = await import("./threaded-ledger.ts");
      return createThreadedLedger({ directory: location.directory, register: options.register });
    }
    case "postgres": {
      const { createPostgres } = await import("../database/postgres.ts");
      const { createDatabaseLedger } = await import("./database-ledger.ts");
      return createDatabaseLedger(createPostgres({ location, login, clock: options.clock }), options);
    }
  }
}
