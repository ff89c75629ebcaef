import type { StoreLocation } from "../config/store-url.ts";
import type { Clock } from "../lib/clock.ts";
import type { Part } from "../lib/lifecycle.ts";
import type { Statements } from "./database.ts";
import { migrated, type Schema, startMigrated } from "./migrate.ts";
import { createPostgres, NOW_MS } from "./postgres.ts";
import type { PostgresLogin } from "./postgres-connection.ts";

/** The tables in the ticket store's PostgreSQL for state other than tickets that requests share. */
export interface SharedTables extends Statements, Required<Part> {
  kind: "postgres";
}

/** Statement timeout, milliseconds; and the pause after trouble before PostgreSQL is tried again. */
const PATIENCE = { answerMs: 400, pauseMs: 2_000 };
/** How often what has expired is deleted, milliseconds. */
const SWEEP_MS = 60_000;

/** Unlogged: a crash of the server may cost them, and each write costs no wait for the disk. */
const SCHEMA: Schema = {
  part: "request",
  variable: "STORE_URL",
  migrations: [
    ({ text }) => [
      `CREATE UNLOGGED TABLE faceid_launches (
        name ${text} PRIMARY KEY,
        value ${text} NOT NULL,
        expires_at BIGINT NOT NULL
      )`,
      "CREATE INDEX faceid_launches_expiry ON faceid_launches (expires_at)",
      // Its columns are those of rate-limiter-flexible.
      `CREATE UNLOGGED TABLE faceid_limits (
        key ${text} PRIMARY KEY,
        points INTEGER NOT NULL DEFAULT 0,
        expire BIGINT
      )`,
      "CREATE INDEX faceid_limits_expiry ON faceid_limits (expire)",
    ],
  ],
};

/** Undefined unless `location` is a PostgreSQL. `login` returns the current login, if it may change. */
export function createSharedTables(
  location: StoreLocation,
  clock: Clock,
  login?: () => PostgresLogin,
): SharedTables | undefined {
  if (location.kind !== "postgres") return undefined;
  const database = createPostgres({ location, login, clock, patience: PATIENCE });
  const ready = migrated(database, SCHEMA);
  let sweptAt = clock.monotonic();

  function sweep(): void {
    if (clock.monotonic() - sweptAt < SWEEP_MS) return;
    sweptAt = clock.monotonic();
    for (const expired of [
      `DELETE FROM faceid_launches WHERE expires_at <= ${NOW_MS}`,
      `DELETE FROM faceid_limits WHERE expire <= ${NOW_MS}`,
    ])
      database.run(expired).catch(() => undefined);
  }

  return {
    kind: "postgres",
    async all(sql, values) {
      await ready();
      sweep();
      return database.all(sql, values);
    },
    async run(sql, values) {
      await ready();
      sweep();
      return database.run(sql, values);
    },
    start: () => startMigrated(database, ready),
    stop: () => database.stop(),
  };
}
