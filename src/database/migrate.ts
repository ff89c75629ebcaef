import { OperatorError, StoreError } from "../errors.ts";
import type { Database, Dialect, Statements } from "./database.ts";

/** The statements that lead from one version of a schema to the next. */
export type Migration = (dialect: Dialect) => readonly string[];

/** The tables of one part of the service. */
export interface Schema {
  part: string;
  /** A version each. */
  migrations: readonly Migration[];
  /** The variable that names the database. */
  variable: string;
}

/**
 * Brings the tables up to the last of their `migrations`, forward only and by one process at a
 * time. Rejects with OperatorError if a later release has been here: it alone knows what the tables mean now.
 */
export async function migrate(database: Database, schema: Schema): Promise<void> {
  // Without a lock at first: nearly every start finds nothing to do. Before the very first there is no table.
  const found = await schemaVersion(database, schema).catch(() => 0);
  if (found === schema.migrations.length) return;
  const { dialect } = database;
  await database.transaction(async ({ all, run }) => {
    const lock = dialect.lock("faceid_schema");
    if (lock) await all(lock);
    await run(`CREATE TABLE IF NOT EXISTS faceid_schema (
      part ${dialect.text} PRIMARY KEY,
      version INTEGER NOT NULL
    )`);
    for (const migration of schema.migrations.slice(await schemaVersion({ all, run }, schema))) {
      for (const statement of migration(dialect)) await run(statement);
    }
    await run(
      `INSERT INTO faceid_schema (part, version) VALUES (?, ?)
       ON CONFLICT (part) DO UPDATE SET version = excluded.version`,
      [schema.part, schema.migrations.length],
    );
  });
}

/** The version that the tables have. Rejects if there are none at all, and with OperatorError if it is a later release's. */
export async function schemaVersion(
  { all }: Statements,
  { part, migrations, variable }: Schema,
): Promise<number> {
  const [row] = await all("SELECT version FROM faceid_schema WHERE part = ?", [part]);
  const version = Number(row?.["version"] ?? 0);
  if (version <= migrations.length) return version;
  throw new OperatorError(
    `${variable}: the database has version ${version} of the ${part} tables, and this release knows up to ` +
      `${migrations.length}: start a later release, or restore a backup from before its first start`,
  );
}

/** Waits until the tables are there, which is tried again for as long as it fails; a later release's are an error of the store. */
export function migrated(database: Database, schema: Schema): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= migrate(database, schema).catch((error: unknown) => {
      done = undefined;
      throw error instanceof OperatorError ? new StoreError("migrate", "SCHEMA", error) : error;
    });
    return done;
  };
}

/**
 * Starts a database and waits until its tables are `ready`. Rejects with OperatorError if a later release has been here; one
 * that is unreachable stops no start.
 */
export async function startMigrated(database: Database, ready: () => Promise<void>): Promise<void> {
  await database.start();
  await ready().catch(({ cause }: Error) => {
    if (cause instanceof OperatorError) throw cause;
  });
}
