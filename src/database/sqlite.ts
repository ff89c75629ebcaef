import type { DatabaseSync, StatementSync } from "node:sqlite";
import { StoreError } from "../errors.ts";
import { type ChangeHints, createChangeHints } from "../lib/change-hints.ts";
import { after } from "../lib/clock.ts";
import {
  bound,
  type Database,
  type Dialect,
  type Row,
  type Statements,
  type Value,
  verbOf,
} from "./database.ts";

const DIALECT: Dialect = {
  identity: "INTEGER PRIMARY KEY",
  text: "TEXT",
  clustered: "WITHOUT ROWID",
  // A transaction has the whole database.
  forUpdate: "",
  skipLocked: "",
  lock: () => "",
};

/** Primary result codes of SQLite that an operator can do something about. */
const RESULTS: Readonly<Record<number, string>> = {
  5: "SQLITE_BUSY",
  8: "SQLITE_READONLY",
  10: "SQLITE_IOERR",
  11: "SQLITE_CORRUPT",
  13: "SQLITE_FULL",
  14: "SQLITE_CANTOPEN",
  26: "SQLITE_NOTADB",
};

/** How long a statement waits for another process's write, milliseconds. */
const BUSY_MS = 800;
/** How often to see whether another process has written, milliseconds. */
const POLL_MS = 200;
/** Prepared statements kept. */
const MAX_STATEMENTS = 200;

/**
 * SQLite in this thread, which every statement blocks until it is done: with a file, that includes its way to the disk and
 * the writes of other processes. `:memory:` is gone once it is stopped.
 */
export function createSqlite(file: string): Database {
  const prepared = new Map<string, StatementSync>();
  const channels = new Map<string, ChangeHints>();
  let engine: DatabaseSync | undefined;
  let stopPolling: (() => void) | undefined;
  /** Statements wait here while a transaction runs. */
  let last: Promise<unknown> = Promise.resolve();

  function statement(sql: string): StatementSync {
    if (!engine) throw new StoreError("sqlite", "CLOSED");
    let found = prepared.get(sql);
    if (!found) {
      if (prepared.size === MAX_STATEMENTS) prepared.clear();
      found = engine.prepare(sql);
      prepared.set(sql, found);
    }
    return found;
  }

  function attempt<T>(sql: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw error instanceof StoreError ? error : new StoreError(verbOf(sql), wordOf(error), error);
    }
  }

  const now: Statements = {
    all: async (sql, values = []) => attempt(sql, () => statement(sql).all(...bound(values)) as Row[]),
    run: async (sql, values = []) => attempt(sql, () => Number(statement(sql).run(...bound(values)).changes)),
  };

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  }

  function hintsOf(channel: string): ChangeHints {
    const hints = channels.get(channel) ?? createChangeHints();
    channels.set(channel, hints);
    return hints;
  }

  /** The number changes with the writes of other connections only. */
  function poll(before: Value | undefined): void {
    stopPolling = after(POLL_MS, async () => {
      const [row] = await inTurn(() => now.all("PRAGMA data_version")).catch(() => []);
      const version = row?.["data_version"];
      if (before !== undefined && version !== before) for (const hints of channels.values()) hints.fire();
      if (engine) poll(version);
    });
  }

  return {
    dialect: DIALECT,
    all: (sql, values) => inTurn(() => now.all(sql, values)),
    run: (sql, values) => inTurn(() => now.run(sql, values)),
    transaction: (work) =>
      inTurn(async () => {
        const notified = new Set<string>();
        await now.run("BEGIN IMMEDIATE");
        try {
          const result = await work({ ...now, notify: async (channel) => void notified.add(channel) });
          await now.run("COMMIT");
          for (const channel of notified) hintsOf(channel).fire();
          return result;
        } catch (error) {
          await now.run("ROLLBACK").catch(() => undefined);
          throw error;
        }
      }),
    listen: (channel, hint) => hintsOf(channel).watch(hint),
    start: () =>
      inTurn(async () => {
        // Loaded here: most services have no database.
        const { DatabaseSync } = await import("node:sqlite");
        attempt("open", () => {
          if (engine) return;
          engine = new DatabaseSync(file, { timeout: BUSY_MS });
          // FULL: what is committed survives a power cut.
          engine.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
          if (file !== ":memory:") poll(undefined);
        });
      }),
    stop: () =>
      inTurn(async () => {
        stopPolling?.();
        for (const hints of channels.values()) hints.close();
        channels.clear();
        prepared.clear();
        engine?.close();
        engine = undefined;
      }),
  };
}

function wordOf(error: unknown): string {
  const { errcode, code } = error as { errcode?: number; code?: string };
  if (errcode === undefined) return code ?? "UNKNOWN";
  return RESULTS[errcode & 0xff] ?? `SQLITE_${errcode & 0xff}`;
}
