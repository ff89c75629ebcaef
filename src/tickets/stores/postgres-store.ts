import type { PostgresLocation } from "../../config/postgres-url.ts";
import { migrated, type Schema, startMigrated } from "../../database/migrate.ts";
import { createPostgres, NOW_MS } from "../../database/postgres.ts";
import type { PostgresLogin } from "../../database/postgres-connection.ts";
import { StoreError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { withDeadline } from "../../lib/deadline.ts";
import type { TicketStore } from "./store.ts";

/** The version of an empty register. */
const EMPTY_VERSION = "empty";
/** The channel for hints; the register's name would be too long for one. */
const CHANNEL = "faceid_tickets";

const SCHEMA: Schema = {
  part: "ticket",
  variable: "STORE_URL",
  migrations: [
    ({ text }) => [
      `CREATE TABLE faceid_tickets (
        register ${text} PRIMARY KEY,
        number BIGINT NOT NULL,
        written_by ${text} NOT NULL,
        value ${text} NOT NULL
      )`,
      `CREATE TABLE faceid_probes (register ${text} PRIMARY KEY, probed_at BIGINT NOT NULL)`,
    ],
  ],
};

export interface PostgresStoreOptions {
  location: PostgresLocation;
  /** The current login, if it may be reloaded. */
  login?: (() => PostgresLogin) | undefined;
  /** The register's name. */
  register: string;
  clock: Clock;
  timings: { storeTimeoutMs: number };
}

/**
 * A register in PostgreSQL: one row. A version is a number and the id of the write: the number never goes back, even if the
 * data did, because it is at least the server's clock; the id distinguishes two writes that a failover gave the same number.
 * Every call ends within `storeTimeoutMs`; if it was sent by then, its outcome is unknown.
 */
export function createPostgresStore({
  location,
  login,
  register,
  clock,
  timings,
}: PostgresStoreOptions): TicketStore {
  const database = createPostgres({ location, login, clock });
  const ready = migrated(database, SCHEMA);
  const closing = new AbortController();

  async function limited<T>(work: () => Promise<T>): Promise<T> {
    if (closing.signal.aborted) throw closing.signal.reason;
    try {
      return await withDeadline(
        clock,
        timings.storeTimeoutMs,
        async () => {
          await ready();
          return work();
        },
        closing.signal,
      );
    } catch (error) {
      const timedOut = error instanceof DOMException && error.name === "TimeoutError";
      throw timedOut ? new StoreError("store", "TIMEOUT", error) : error;
    }
  }

  return {
    read: () =>
      limited(async () => {
        // One statement, so that clock and content are of one moment.
        const [row] = await database.all(
          `SELECT ${NOW_MS} AS now, number, written_by, value
           FROM (SELECT) AS one LEFT JOIN faceid_tickets ON register = ?`,
          [register],
        );
        const { now, number, written_by: writtenBy, value } = row ?? {};
        return typeof value === "string"
          ? { value: JSON.parse(value) as string, version: `${number}-${writtenBy}`, now: Number(now) }
          : { value: undefined, version: EMPTY_VERSION, now: Number(now) };
      }),
    compareAndSet: (version, value) =>
      limited(() => {
        const id = crypto.randomUUID();
        // As a JSON string: text in PostgreSQL has no NUL.
        const text = JSON.stringify(value);
        return database.transaction(async ({ run, notify }) => {
          const written =
            version === EMPTY_VERSION
              ? await run(
                  `INSERT INTO faceid_tickets (register, number, written_by, value) VALUES (?, ${NOW_MS}, ?, ?)
                   ON CONFLICT DO NOTHING`,
                  [register, id, text],
                )
              : await run(
                  `UPDATE faceid_tickets
                   SET number = greatest(number + 1, ${NOW_MS}), written_by = ?, value = ?
                   WHERE register = ? AND number || '-' || written_by = ?`,
                  [id, text, register, version],
                );
          if (written === 1) await notify(CHANNEL);
          return written === 1;
        });
      }),
    probe: () =>
      limited(async () => {
        await database.run(
          `INSERT INTO faceid_probes (register, probed_at) VALUES (?, ${NOW_MS})
           ON CONFLICT (register) DO UPDATE SET probed_at = excluded.probed_at`,
          [register],
        );
      }),
    watch: (listener) => database.listen(CHANNEL, listener),
    open: () => startMigrated(database, ready),
    async close() {
      if (closing.signal.aborted) return;
      closing.abort(new Error("the ticket store is closed"));
      await database.stop();
    },
  };
}
