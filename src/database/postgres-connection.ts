import { readFileSync } from "node:fs";
import type { Client, ClientBase, ClientConfig } from "pg";
import type { PostgresLocation } from "../config/postgres-url.ts";
import { StoreError } from "../errors.ts";

/** After this long in mid-transaction a process counts as frozen, and what it has locked is freed. */
const FROZEN_MS = 2_000;
/** The type of 64-bit integers (pg_type.oid). */
const INT8 = 20;

/** What may be rotated, and is read again for each connection. */
export type PostgresLogin = Partial<Pick<PostgresLocation, "user" | "password">>;

/** The client's class, for connections to the hosts in turn with the login of the moment. Loads the client. */
export async function connectionClass(
  { hosts, database, tls }: PostgresLocation,
  login: () => PostgresLogin,
  answerMs: number,
): Promise<typeof Client> {
  const { default: pg } = await import("pg");
  let turn = 0;

  const fixed: ClientConfig = {
    database,
    application_name: "faceverification",
    connectionTimeoutMillis: answerMs,
    // The server's own limits come first, and say why.
    statement_timeout: Math.ceil(answerMs * 0.8),
    lock_timeout: Math.ceil(answerMs * 0.7),
    idle_in_transaction_session_timeout: FROZEN_MS,
    query_timeout: answerMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    types: {
      getTypeParser: ((oid: number, format: "text") =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  };
  const ssl = () =>
    tls && {
      rejectUnauthorized: tls.verify,
      ...(tls.caFile !== undefined && { ca: readFileSync(tls.caFile, "utf8") }),
    };

  return class extends pg.Client {
    constructor() {
      const { user, password } = login();
      super({
        ...fixed,
        ...hosts[turn++ % hosts.length],
        user,
        password: password?.reveal() ?? "",
        ssl: ssl() ?? false,
      });
      // Every statement reports its own failure; without a listener an idle connection's would end the process.
      this.on("error", () => undefined);
    }
  };
}

/** Rejects for a server that takes no writes, as one does that was the primary until a failover. */
export async function checkPrimary(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ standby: boolean }>("SELECT pg_is_in_recovery() AS standby");
  if (rows[0]?.standby) throw new StoreError("connect", "NOT_PRIMARY");
}
