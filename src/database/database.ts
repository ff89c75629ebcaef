import type { Part } from "../lib/lifecycle.ts";

/** A value of a parameter or of a row. Numbers are stored as whole ones, and none of ours exceeds 2^53. */
export type Value = string | number | null;

export type Row = Readonly<Record<string, Value>>;

/** Statements; parameters are `?` in their order. Rejects with StoreError. */
export interface Statements {
  readonly all: (sql: string, values?: readonly Value[]) => Promise<Row[]>;
  /** Resolves to the number of rows changed. */
  readonly run: (sql: string, values?: readonly Value[]) => Promise<number>;
}

export interface Transaction extends Statements {
  /** Tells the channel's listeners once the transaction commits. */
  readonly notify: (channel: string) => Promise<void>;
}

/**
 * A relational database: SQLite in this process, or a PostgreSQL server. Both take the same SQL where it is used; what they
 * spell differently is in `dialect`.
 */
export interface Database extends Statements, Required<Part> {
  dialect: Dialect;
  /**
   * Runs `work` in one transaction; rolled back if it rejects. Run again if the database ended it for the sake of another.
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /**
   * Runs `hint` for each notification on the channel, those of other processes included where the database carries them, and
   * after each reconnect. Returns a function that ends that.
   */
  listen(channel: string, hint: () => void): () => void;
}

/** What the databases spell differently. */
export interface Dialect {
  /** Type of a small integer key that the database assigns. */
  identity: string;
  /** Type of text that is sorted by its bytes. */
  text: string;
  /** After the columns of a table that is read by its primary key only. */
  clustered: string;
  /** Ends a SELECT whose rows no other transaction may change until the transaction ends. */
  forUpdate: string;
  /** The same, without those that another transaction has. */
  skipLocked: string;
  /** A statement that makes other transactions with the same lock wait until this one ends; "" if all of them do. */
  lock(name: string): string;
}

/** Values as they are sent. */
export const bound = (values: readonly Value[]): Value[] =>
  values.map((value) => (typeof value === "number" ? Math.round(value) : value));

/** What a statement does, for errors. */
export const verbOf = (sql: string): string => /\w+/.exec(sql)?.[0].toLowerCase() ?? "";

/** `(?, ?), (?, ?)`: `rows` tuples of `width` parameters. */
export function tuples(rows: number, width: number): string {
  const tuple = `(${Array(width).fill("?").join(", ")})`;
  return Array(rows).fill(tuple).join(", ");
}

/** `(?, ?)`, for IN. */
export const list = (values: readonly unknown[]): string => tuples(1, values.length);

/** Slices of at most `size`. */
export function chunks<T>(values: readonly T[], size: number): T[][] {
  const count = Math.ceil(values.length / size);
  return Array.from({ length: count }, (_, i) => values.slice(i * size, (i + 1) * size));
}
