import type { LedgerLocation } from "../config/ledger.ts";
import type { Database } from "../database/database.ts";
import { type Schema, schemaVersion } from "../database/migrate.ts";
import { OperatorError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { errorCode, refusalOf } from "../lib/private-directory.ts";
import { type Check, checksFor, codeOf } from "./check.ts";
import { postgresCure } from "./postgres.ts";

export interface LedgerParts {
  location: LedgerLocation;
  /** Set if the ledger is on a server. */
  database: Database | undefined;
  schema: Schema;
  clock: Clock;
}

/** From this time a statement counts as slow, milliseconds. */
const SLOW_MS = 50;

/** Checks that the service can use the ledger, and changes nothing there: the tables are the service's to make. */
export async function checkLedger({ location, database, schema, clock }: LedgerParts): Promise<Check[]> {
  if (location.kind === "sqlite") return [await checkDirectory(location.directory)];
  if (!database) {
    const cure = "for trials alone; in production LEDGER_URL must name a directory or a server";
    return [checksFor("ledger").warn("memory: every order is forgotten when the process ends", cure)];
  }
  const { ok, warn, fail } = checksFor("ledger");
  try {
    await database.start();
    const version = await tableVersion(database, schema);
    const startedAt = clock.monotonic();
    const [server] = await database.all(
      `SELECT current_setting('server_version') AS version,
         has_schema_privilege(current_schema(), 'CREATE') AS may_create`,
    );
    const ms = clock.monotonic() - startedAt;
    if (version < schema.migrations.length && !server?.["may_create"])
      return [fail("its user may not make tables", "GRANT CREATE ON SCHEMA public: docs/postgres.md")];
    const detail = `PostgreSQL ${server?.["version"]}, tables of version ${version}, ${ms.toFixed(1)} ms a statement`;
    return [ms > SLOW_MS ? warn(detail, "put it nearer: an end of an order takes six") : ok(detail)];
  } catch (error) {
    if (error instanceof OperatorError) return [fail(error.message, "docs/postgres.md")];
    const code = codeOf(error);
    return [fail(`it does not answer (${code})`, postgresCure(code) ?? "docs/postgres.md")];
  }
}

/** 0 for an empty database. */
async function tableVersion(database: Database, schema: Schema): Promise<number> {
  const [found] = await database.all("SELECT to_regclass('faceid_schema') IS NOT NULL AS made");
  return found?.["made"] ? schemaVersion(database, schema) : 0;
}

async function checkDirectory(directory: string): Promise<Check> {
  const { ok, warn, fail } = checksFor("ledger directory");
  try {
    const refused = await refusalOf(directory);
    if (refused === undefined) return ok(`${directory} can be used`);
    return fail(`${directory}: ${refused}`, "give it to the service's user, or choose another LEDGER_URL");
  } catch (error) {
    if (errorCode(error) === "ENOENT")
      return warn(`${directory} is not there yet`, "the service makes it when it starts");
    return fail(`${directory} cannot be used (${errorCode(error)})`, "choose another LEDGER_URL");
  }
}
