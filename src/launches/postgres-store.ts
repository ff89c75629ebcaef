import type { Statements } from "../database/database.ts";
import { NOW_MS } from "../database/postgres.ts";
import type { LaunchStore } from "./store.ts";

export interface PostgresLaunchOptions {
  /** Prefix of every name, such as `faceid:{app@host}:launch`. */
  prefix: string;
  tables: Statements;
  /** Hides what keys say of persons and request ids. */
  pseudonym: (key: string) => string;
  /** Encrypts outcomes, which contain signatures. */
  seal: (plain: string, token: string) => string;
  /** Undefined for anything not sealed as this token's outcome. */
  open: (sealed: string, token: string) => string | undefined;
}

/** Writes unless another value is there that has not expired. */
const CLAIM = `INSERT INTO faceid_launches AS held (name, value, expires_at) VALUES (?, ?, ${NOW_MS} + ?)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
  WHERE held.value = excluded.value OR held.expires_at <= ${NOW_MS}`;

/** Writes unless a value is there that has not expired; and replaces the value that was read. */
const KEEP_FIRST = `INSERT INTO faceid_launches AS held (name, value, expires_at) VALUES (?, ?, ${NOW_MS} + ?)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
  WHERE held.expires_at <= ${NOW_MS}`;
const REPLACE = `UPDATE faceid_launches SET value = ?, expires_at = ${NOW_MS} + ? WHERE name = ? AND value = ?`;

/** A launch store in PostgreSQL: a row per claim and one per outcome, each with its expiry by the server's clock. */
export function createPostgresLaunchStore(options: PostgresLaunchOptions): LaunchStore {
  const { prefix, tables, pseudonym, seal, open } = options;
  const claimName = (key: string) => `${prefix}:${pseudonym(key)}`;
  const outcomeName = (token: string) => `${prefix}:outcome:${token}`;

  async function valueOf(name: string): Promise<string | undefined> {
    const [row] = await tables.all(
      `SELECT value FROM faceid_launches WHERE name = ? AND expires_at > ${NOW_MS}`,
      [name],
    );
    return row && String(row["value"]);
  }

  return {
    shared: true,
    async claim(key, token, lifeMs) {
      const name = claimName(key);
      for (;;) {
        if ((await tables.run(CLAIM, [name, token, lifeMs])) === 1) return undefined;
        const owner = await valueOf(name);
        // Else it was released between the two statements.
        if (owner !== undefined) return owner;
      }
    },
    async release(key, token) {
      await tables.run("DELETE FROM faceid_launches WHERE name = ? AND value = ?", [claimName(key), token]);
    },
    async keep(token, outcome, lifeMs) {
      await tables.run(
        `INSERT INTO faceid_launches (name, value, expires_at) VALUES (?, ?, ${NOW_MS} + ?)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`,
        [outcomeName(token), seal(outcome, token), lifeMs],
      );
    },
    async outcome(token) {
      const sealed = await valueOf(outcomeName(token));
      return sealed === undefined ? undefined : open(sealed, token);
    },
    async change(token, next) {
      const name = outcomeName(token);
      for (;;) {
        const held = await valueOf(name);
        const kept = held === undefined ? undefined : open(held, token);
        const { text, lifeMs } = next(kept) ?? {};
        if (text === undefined || lifeMs === undefined) return kept;
        const sealed = seal(text, token);
        const changed =
          held === undefined
            ? await tables.run(KEEP_FIRST, [name, sealed, lifeMs])
            : await tables.run(REPLACE, [sealed, lifeMs, name, held]);
        if (changed === 1) return text;
      }
    },
    async erase(token) {
      await tables.run("DELETE FROM faceid_launches WHERE name = ?", [outcomeName(token)]);
    },
  };
}
