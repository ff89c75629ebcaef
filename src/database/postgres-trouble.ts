import { StoreError } from "../errors.ts";

/** Words for the SQLSTATEs that an operator can do something about (PostgreSQL, appendix A). */
const STATES: Readonly<Record<string, string>> = {
  "25006": "READ_ONLY",
  "28000": "NO_LOGIN",
  "28P01": "WRONG_PASSWORD",
  "3D000": "NO_DATABASE",
  "42501": "NO_PERMISSION",
  "53100": "DISK_FULL",
  "53300": "TOO_MANY_CONNECTIONS",
  "55P03": "LOCK_TIMEOUT",
  "57014": "TIMEOUT",
  "57P01": "SHUTTING_DOWN",
  "57P02": "SHUTTING_DOWN",
  "57P03": "STARTING",
};

/** Words for the client's own errors, which have no codes. */
const CLIENT_WORDS: readonly (readonly [RegExp, string])[] = [
  [/timeout/i, "TIMEOUT"],
  [/terminated|closed|not queryable/i, "DISCONNECTED"],
  [/does not support SSL/i, "NO_TLS"],
  [/password must be a string/i, "NO_PASSWORD"],
];

/** A connection or statement error as one word that is safe to log. */
export function postgresTrouble(error: unknown): string {
  if (error instanceof StoreError) return error.code;
  if (!(error instanceof Error)) return "UNKNOWN";
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === "string") return STATES[code] ?? code;
  const [, word] = CLIENT_WORDS.find(([pattern]) => pattern.test(error.message)) ?? [];
  return word ?? error.name;
}

/**
 * Whether the statement is at fault, or others that ran at the same time, and not the connection: classes of SQLSTATE that a
 * server in order answers with.
 */
export const isOfStatement = (error: unknown): boolean =>
  /^(0[A-Z]|2[0-4]|22|23|40|42|55P03|57014)/.test(String((error as NodeJS.ErrnoException)?.code));

/** Whether the server ended the transaction for the sake of another. */
export const isConflict = (error: unknown): boolean =>
  ["40001", "40P01"].includes(String((error as NodeJS.ErrnoException)?.code));
