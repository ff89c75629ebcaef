import { StoreError } from "../errors.ts";

/** Codes for `ERR` replies of Redis, its forks and its proxies; no pattern matches arguments of ours. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [
    /^ERR unknown (sub)?command|^ERR .*unsupported command|^ERR .*command.* not supported/i,
    "UNKNOWN_COMMAND",
  ],
  // Commands a script must not call, as reported by Redis 6 and 7.
  [/^ERR .*(can't run this command|ACL failure in script)/i, "NOPERM"],
  [/^ERR .*(disabled|not allowed|forbidden)/i, "NOT_ALLOWED"],
  [/^ERR invalid password/i, "WRONGPASS"],
  [/^ERR .*AUTH.*without any password|^ERR Client sent AUTH/i, "NO_PASSWORD_SET"],
  [/^ERR max(imum)? number of clients/i, "MAXCLIENTS"],
  [/^ERR (invalid DB index|DB index is out of range)/i, "DB_INDEX"],
];

/** Codes for the client's own errors, whose classes are not exported by name. */
const CLIENT_WORDS: Readonly<Record<string, string>> = {
  "Connection timeout": "CONNECT_TIMEOUT",
  "Socket closed unexpectedly": "DISCONNECTED",
  "Disconnects client": "DISCONNECTED",
  "The client is closed": "DISCONNECTED",
  "The client is offline": "DISCONNECTED",
  "All the root nodes are unavailable": "NO_NODE",
};

/** A connection or command error as one word that is safe to log. */
export function troubleOf(error: unknown): string {
  if (!(error instanceof Error)) return "UNKNOWN";
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === "string") return code;
  const known = MEANINGS.find(([pattern]) => pattern.test(error.message)) ?? [];
  const [word] = /^[A-Z]{2,24}(?= |$)/.exec(error.message) ?? [];
  return known[1] ?? word ?? CLIENT_WORDS[error.message] ?? error.constructor.name;
}

/** Whether the code only reports a missing connection, without the cause. */
export const isSilent = (code: string): boolean => code === "DISCONNECTED" || code === "NO_NODE";

/** Whether a server or proxy responded that the command is unknown or not permitted for this login. */
export const isRefused = (error: unknown): boolean =>
  error instanceof StoreError && ["UNKNOWN_COMMAND", "NOT_ALLOWED", "NOPERM"].includes(error.code);
