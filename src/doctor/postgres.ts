/** What to do about an error of PostgreSQL, by its word in the log and in the doctor's table. */
const CURES: Readonly<Record<string, string>> = {
  WRONG_PASSWORD: "check user and password in the URL: docs/postgres.md, login",
  NO_PASSWORD: "it demands a password: give one in the URL",
  NO_LOGIN: "pg_hba.conf does not let this user in from here, or asks for TLS: add ?sslmode=verify-full",
  NO_DATABASE: "make the database: docs/postgres.md, setup",
  NO_PERMISSION: "the user must own its tables: docs/postgres.md, setup",
  NO_TLS: "it speaks no TLS: take sslmode away, or switch TLS on there",
  NOT_PRIMARY: "this is a standby: the URL must lead to the primary, or list all hosts",
  READ_ONLY: "it takes no writes: a standby, or default_transaction_read_only",
  TOO_MANY_CONNECTIONS: "each process has up to 11 connections for each URL: raise max_connections",
  DISK_FULL: "its disk is full",
  STARTING: "it is starting or recovering: wait",
  SHUTTING_DOWN: "it is shutting down",
  TIMEOUT: "it does not answer in time: network, firewall, load, locks",
  LOCK_TIMEOUT: "another transaction holds a lock: pg_stat_activity, pg_locks",
  DISCONNECTED: "it hangs up: its log says why",
  ECONNREFUSED: "nothing listens there: host and port in the URL, and whether it runs",
  ENOTFOUND: "no such host: the name in the URL, and DNS",
  ENOENT: "no such file: the Unix socket of ?host=, or sslrootcert",
};

/** The cure for an error word; undefined if there is none. */
export function postgresCure(code: string): string | undefined {
  if (/CERT|SIGNATURE|ALTNAME/.test(code))
    return "its certificate is not trusted: sslrootcert names an authority; the host must be the certificate's";
  return CURES[code];
}
