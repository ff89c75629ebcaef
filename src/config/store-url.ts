import { isDeepStrictEqual } from "node:util";
import type { EnvironmentReader } from "../lib/environment.ts";
import { Secret } from "../lib/redacted.ts";
import { POSTGRES_FORM, type PostgresLocation, parsePostgresUrl } from "./postgres-url.ts";

/** Where the tickets are stored, from STORE_URL. */
export type StoreLocation =
  | { kind: "memory" }
  | { kind: "file"; directory: string }
  | RedisLocation
  | PostgresLocation;

export interface RedisLocation {
  kind: "redis";
  tls: boolean;
  /**
   * One server, a master found through Sentinels, or a cluster; for the last two `hosts` are the seed nodes.
   */
  topology: "single" | "sentinel" | "cluster";
  hosts: readonly { host: string; port: number }[];
  login: Login | undefined;
  /** The login for the Sentinels themselves, if they require one. */
  sentinelLogin: Login | undefined;
  /** The master's name at the Sentinels; undefined for other topologies. */
  master: string | undefined;
  database: number;
}

export interface Login {
  username: string | undefined;
  password: Secret;
}

const FORMS =
  "must be memory:, file:DIR, redis://HOST, rediss://HOST, redis+sentinel://, redis+cluster:// " +
  `or ${POSTGRES_FORM}`;

/** The logins; read again for each connection, since a password may be rotated. */
export type Logins = Pick<RedisLocation, "login" | "sentinelLogin"> &
  Partial<Pick<PostgresLocation, "user" | "password">>;

/**
 * The name of an app's register, unique per environment so that their tickets never mix. It includes the
 * path, which may be the only difference between two environments behind one gateway.
 */
export function registerName(appId: string, baseUrl: string): string {
  const { host, pathname } = new URL(baseUrl);
  return `${appId}@${host}${pathname.replace(/\/+$/, "")}`;
}

/** The logins of a location; all undefined if it has none. */
export function loginsOf(location: StoreLocation): Logins {
  const redis = location.kind === "redis" ? location : undefined;
  const postgres = location.kind === "postgres" ? location : undefined;
  return {
    login: redis?.login,
    sentinelLogin: redis?.sentinelLogin,
    ...(postgres && { user: postgres.user, password: postgres.password }),
  };
}

/** Whether two locations are the same, ignoring logins. */
export function isSamePlace(one: object | undefined, other: object | undefined): boolean {
  const logins = { login: undefined, sentinelLogin: undefined, user: undefined, password: undefined };
  const [a, b] = [one, other].map((location) => location && { ...location, ...logins });
  return isDeepStrictEqual(a, b);
}

const DEFAULT_STORE: StoreLocation = { kind: "file", directory: "./.faceid" };

/** The location in STORE_URL, or the default; a problem is added to the reader's. */
export function readStore(read: EnvironmentReader): StoreLocation {
  const url = read.secretText("STORE_URL");
  const location = url === undefined ? DEFAULT_STORE : parseStoreUrl(url);
  if (typeof location !== "string") return location;
  read.problems.push(`STORE_URL: ${location}`);
  return DEFAULT_STORE;
}

/**
 * Parses STORE_URL. A returned string is the rule it breaks, without the URL, which may contain a password.
 *
 * - `memory:` for one process, lost when it exits
 * - `file:DIR` a directory on a local disk, relative or absolute; also `file:///DIR`; not percent-decoded
 * - `redis://[USER:PASSWORD@]HOST[:6379][/DATABASE]`
 * - `redis+sentinel://[USER:PASSWORD@]HOST[:26379],HOST…/MASTER[/DATABASE][?sentinel_username=…&sentinel_password=…]`
 * - `redis+cluster://[USER:PASSWORD@]HOST[:6379],HOST…`
 * - `postgres://…` as in `parsePostgresUrl`
 *
 * `rediss` instead of `redis` speaks TLS. User and password are percent-encoded.
 */
export function parseStoreUrl(url: string): StoreLocation | string {
  if (url === "memory:") return { kind: "memory" };
  if (/^postgres(ql)?:/.test(url)) return parsePostgresUrl(url);
  if (url.startsWith("file:")) return parseFile(url.slice("file:".length));
  const parts = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/([^/?#]*)(\/[^?#]*)?(\?[^#]*)?$/.exec(url);
  return parts ? parseRedis(parts) : FORMS;
}

function parseFile(rest: string): StoreLocation | string {
  const directory = rest.startsWith("//") ? rest.slice(2).replace(/^localhost(?=\/)/, "") : rest;
  if (rest.startsWith("//") && !directory.startsWith("/")) {
    return "file://DIR would name a host; write file:DIR or file:///DIR";
  }
  if (directory === "" || directory.includes("\0")) return "file: must be followed by a directory";
  return { kind: "file", directory };
}

function parseRedis(parts: RegExpExecArray): RedisLocation | string {
  const [, scheme, topology = "single", authority = "", path = "", query = ""] = parts;
  const at = authority.lastIndexOf("@");
  const login = at < 0 ? undefined : parseLogin(authority.slice(0, at));
  if (login === "bad") return "user and password must be percent-encoded";
  if (login === "ambiguous") return "before @ comes USER:PASSWORD, or :PASSWORD for a password alone";

  const hosts = authority
    .slice(at + 1)
    .split(",")
    .map((text) => parseHost(text, topology === "sentinel" ? 26_379 : 6_379));
  if (topology === "single" && hosts.length > 1) {
    return "redis:// takes one host; use redis+sentinel:// or redis+cluster:// for several";
  }
  if (!hosts.every((host) => host !== undefined)) return "every host must be HOST or HOST:PORT";

  const segments = path.split("/").slice(1);
  const master = topology === "sentinel" ? segments.shift() : undefined;
  if (topology === "sentinel" && !/^[\w.-]+$/.test(master ?? "")) {
    return "redis+sentinel:// needs the master's name after the hosts: redis+sentinel://HOST,HOST/MASTER";
  }
  const [database = "", ...rest] = segments;
  if (rest.length > 0 || !/^\d{0,3}$/.test(database)) return "after the host comes at most a database number";
  if (topology === "cluster" && Number(database) !== 0) return "a cluster has only database 0";

  const options = new URLSearchParams(query);
  const allowed = topology === "sentinel" ? ["sentinel_username", "sentinel_password"] : [];
  if (![...options.keys()].every((key) => allowed.includes(key))) {
    return "has an option after ? that is not known";
  }
  const sentinelPassword = options.get("sentinel_password");
  return {
    kind: "redis",
    tls: scheme === "rediss",
    topology: topology as RedisLocation["topology"],
    hosts,
    login,
    sentinelLogin: sentinelPassword
      ? {
          username: options.get("sentinel_username") || undefined,
          password: new Secret(sentinelPassword),
        }
      : undefined,
    master,
    database: Number(database),
  };
}

function parseLogin(text: string): Login | undefined | "bad" | "ambiguous" {
  const [user = "", password] = text.split(/:(.*)/s);
  // Some clients read `redis://x@host` as a user without a password, others as a password.
  if (user !== "" && !password) return "ambiguous";
  try {
    const username = decodeURIComponent(user) || undefined;
    return password ? { username, password: new Secret(decodeURIComponent(password)) } : undefined;
  } catch {
    return "bad";
  }
}

function parseHost(text: string, defaultPort: number): { host: string; port: number } | undefined {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = v6 ?? name;
  const number = port === undefined ? defaultPort : Number(port);
  return host !== undefined && number > 0 && number <= 65_535 ? { host, port: number } : undefined;
}
