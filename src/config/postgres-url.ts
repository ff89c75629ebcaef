import { Secret } from "../lib/redacted.ts";

export interface PostgresLocation {
  kind: "postgres";
  /** Of one cluster; the primary among them is found by asking. A host that begins with `/` is a directory of sockets. */
  hosts: readonly { host: string; port: number }[];
  database: string;
  user: string;
  /** Undefined if the server asks for none. */
  password: Secret | undefined;
  /** Undefined: in clear text. `verify`: the certificate must be valid for the host. */
  tls: { verify: boolean; caFile: string | undefined } | undefined;
}

export const POSTGRES_FORM = "postgres://USER:PASSWORD@HOST/DATABASE";

const OPTIONS = ["sslmode", "sslrootcert", "host"];

/**
 * Parses `postgres://USER[:PASSWORD]@HOST[:5432][,HOST…]/DATABASE[?sslmode=…&sslrootcert=FILE]`, also `postgresql://`. A
 * returned string is the rule it breaks, without the URL, which may contain a password. User, password and database are
 * percent-encoded. `sslmode` is `disable` (the default), `require` (encrypted, with whatever certificate) or `verify-full`.
 * `?host=/DIRECTORY` in place of HOST is the server's Unix socket.
 */
export function parsePostgresUrl(url: string): PostgresLocation | string {
  const parts = /^postgres(?:ql)?:\/\/(?:([^/?#@]*)@)?([^/?#@]*)\/([^/?#]*)(\?[^#]*)?$/.exec(url);
  if (!parts) return `must be ${POSTGRES_FORM}; user and password must be percent-encoded`;
  const [, login = "", authority = "", path = "", query = ""] = parts;
  const [user, password, database] = [...split(login), path].map(decoded);
  if (user === undefined || password === undefined || database === undefined)
    return "user, password and database must be percent-encoded";
  if (user === "") return `must name the user: ${POSTGRES_FORM}`;
  if (database === "") return `must name the database: ${POSTGRES_FORM}`;

  const options = new URLSearchParams(query);
  if (![...options.keys()].every((key) => OPTIONS.includes(key)))
    return `has an option after ? that is not known; known are ${OPTIONS.join(", ")}`;
  const sslMode = options.get("sslmode") ?? "disable";
  if (!["disable", "require", "verify-full"].includes(sslMode))
    return "sslmode must be disable, require or verify-full";
  const socket = options.get("host");
  if (socket !== null && (!socket.startsWith("/") || !/^(:\d{1,5})?$/.test(authority)))
    return "?host= takes the directory of a Unix socket, in place of the host";
  const hosts = authority.split(",").map((text) => parseHost(text, socket));
  if (!hosts.every((host) => host !== undefined)) return "every host must be HOST or HOST:PORT";

  return {
    kind: "postgres",
    hosts,
    database,
    user,
    password: password === "" ? undefined : new Secret(password),
    tls:
      sslMode === "disable"
        ? undefined
        : { verify: sslMode === "verify-full", caFile: options.get("sslrootcert") ?? undefined },
  };
}

function split(login: string): [string, string] {
  const [user = "", password = ""] = login.split(/:(.*)/s);
  return [user, password];
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function parseHost(text: string, socket: string | null): { host: string; port: number } | undefined {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = socket ?? v6 ?? name;
  const number = port === undefined ? 5_432 : Number(port);
  return host && number > 0 && number <= 65_535 ? { host, port: number } : undefined;
}
