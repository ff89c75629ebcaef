import { readFileSync } from "node:fs";
import type { Client, ClientConfig } from "pg";
import type { PostgresLocation } from "../config/postgres-url.ts";
import { StoreError } from "../errors.ts";

/** After this long in mid-transaction a process counts as frozen, and what it has locked is freed. */
const FROZEN_MS = 2_000;
/** The type of 64-bit integers (pg_type.oid). */
const INT8 = 20;

/** What may be rotated, and is read again for each connection. */
export type PostgresLogin = Partial<Pick<PostgresLocation, "user" | "password">>;

/**
 * The client's class, for connections with the login of the moment to the host that was the primary last. One that is
 * unreachable or takes no writes fails the connection, and the next connection goes to the next host. Loads the client.
 */
export async function connectionClass(
  { hosts, database, tls }: PostgresLocation,
  login: () => PostgresLogin,
  answerMs: number,
): Promise<typeof Client> {
  const { default: pg } = await import("pg");
  let primary = 0;

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
    readonly #host = primary;

    constructor() {
      const { user, password } = login();
      super({
        ...fixed,
        ...hosts[primary],
        user,
        password: password?.reveal() ?? "",
        ssl: ssl() ?? false,
      });
      // Every statement reports its own failure; without a listener an idle connection's would end the process.
      this.on("error", () => undefined);
    }

    override connect(): Promise<this>;
    override connect(done: (error: Error | null) => void): void;
    override connect(done?: (error: Error | null) => void): Promise<this> | void {
      const connected = this.#connect();
      if (!done) return connected;
      connected.then(() => done(null), done);
    }

    async #connect(): Promise<this> {
      try {
        await super.connect();
        const { rows } = await this.query<{ standby: boolean }>("SELECT pg_is_in_recovery() AS standby");
        // As a server that was the primary until a failover.
        if (rows[0]?.standby) throw new StoreError("connect", "NOT_PRIMARY");
        return this;
      } catch (error) {
        // Of several connections that fail at once only the first moves on.
        if (primary === this.#host) primary = (primary + 1) % hosts.length;
        this.end().catch(() => undefined);
        throw error;
      }
    }
  };
}
