import type { EnvironmentReader } from "../lib/environment.ts";
import { POSTGRES_FORM, type PostgresLocation, parsePostgresUrl } from "./postgres-url.ts";

/** Where the orders are stored, from LEDGER_URL. */
export type LedgerLocation = { kind: "memory" } | { kind: "sqlite"; directory: string } | PostgresLocation;

export interface LedgerConfig {
  location: LedgerLocation;
  /** How long an order stays once it has ended. */
  retentionMs: number;
}

const DAY_MS = 24 * 60 * 60_000;
/** As long as an event is tried to be delivered: what is deleted earlier may never have been received. */
const MIN_RETENTION_MS = 3 * DAY_MS;

/** The ledger in LEDGER_URL; undefined if there is none. Problems are added to the reader's. */
export function readLedger(read: EnvironmentReader): LedgerConfig | undefined {
  const url = read.secretText("LEDGER_URL");
  const retentionMs = read.durationMs("LEDGER_RETENTION", 30 * DAY_MS);
  if (retentionMs < MIN_RETENTION_MS)
    read.problems.push("LEDGER_RETENTION: must be at least 3d, for as long as events are delivered");
  if (url === undefined) return undefined;
  const location = parseLedgerUrl(url);
  if (typeof location !== "string") return { location, retentionMs };
  read.problems.push(`LEDGER_URL: ${location}`);
  return undefined;
}

/**
 * Parses LEDGER_URL. A returned string is the rule it breaks, without the URL, which may contain a password.
 *
 * - `sqlite:DIR` a directory on a local disk, relative or absolute; not percent-decoded
 * - `postgres://…` as in `parsePostgresUrl`
 * - `memory:` for trials, lost when the process exits
 */
export function parseLedgerUrl(url: string): LedgerLocation | string {
  if (url === "memory:") return { kind: "memory" };
  if (/^postgres(ql)?:/.test(url)) return parsePostgresUrl(url);
  if (!url.startsWith("sqlite:")) return `must be sqlite:DIR or ${POSTGRES_FORM}; memory: for trials`;
  const directory = url.slice("sqlite:".length);
  if (directory.startsWith("//")) return "sqlite://DIR would name a host; write sqlite:DIR or sqlite:/DIR";
  if (directory === "" || directory.includes("\0")) return "sqlite: must be followed by a directory";
  return { kind: "sqlite", directory };
}
