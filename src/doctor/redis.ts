import { isRefused, troubleOf } from "../redis/trouble.ts";
import { type Check, checksFor, codeOf } from "./check.ts";

export interface RedisParts {
  /** Sends one command for a key in the scratch register's slot; rejects with StoreError. */
  send: (command: string[]) => Promise<unknown>;
  /** The same on a separate connection, for subscriptions, which take it over. */
  sendApart: (command: string[]) => Promise<unknown>;
  /** A key in that slot. */
  key: string;
}

/** What to do about an error of Redis, by its code in the log and in the doctor's table. */
const CURES: Readonly<Record<string, string>> = {
  WRONGPASS: "check user and password in STORE_URL: docs/runbook.md, Redis password",
  NOAUTH: "it demands a password: give one in STORE_URL, docs/runbook.md, Redis password",
  NO_PASSWORD_SET: "it has no password: take the one in STORE_URL away, or give Redis its own",
  NOPERM: "give the login its commands and keys: docs/redis.md, login",
  UNKNOWN_COMMAND: "it, or a proxy before it, does not know the command: docs/redis.md",
  NOT_ALLOWED: "it, or a proxy before it, has the command switched off: docs/redis.md",
  OOM: "its memory is full: raise maxmemory; the policy must be noeviction",
  MISCONF: "it cannot save to its disk and refuses writes: free the disk, or see stop-writes-on-bgsave-error",
  NOREPLICAS: "it has fewer replicas than min-replicas-to-write: bring them back",
  READONLY: "this is a replica: STORE_URL must lead to the primary",
  NOT_PRIMARY: "this is a replica: STORE_URL must lead to the primary",
  MASTERDOWN: "this is a replica without its primary: STORE_URL must lead to the primary",
  LOADING: "it is reading its data from disk: wait",
  BUSY: "a script of another client runs on and on: SCRIPT KILL",
  CLUSTERDOWN: "the cluster does not serve all slots: redis-cli --cluster check",
  MOVED: "it is a node of a cluster: write redis+cluster:// in STORE_URL",
  CROSSSLOT: "it is a node of a cluster: write redis+cluster:// in STORE_URL",
  DB_INDEX: "it has no database of this number: write another, or none, after the host",
  MAXCLIENTS: "it has as many connections as it may: raise maxclients",
  DENIED: "it is in protected mode: bind it and set a password",
  TIMEOUT:
    "it does not answer in time: network, load, slow commands (SLOWLOG); or rediss:// asks a port without TLS",
  CONNECT_TIMEOUT:
    "nothing answers at its address: security group, firewall, routing; or rediss:// asks a port without TLS",
  SocketTimeoutError: "it went silent: network, load",
  DISCONNECTED:
    "it hangs up: a TLS port asked in clear text (write rediss://), or a proxy that does not know a command",
  NO_NODE: "none of the hosts in STORE_URL answers as a node of the cluster",
  ECONNREFUSED: "nothing listens there: host and port in STORE_URL, and whether it runs",
  ENOTFOUND: "no such host: the name in STORE_URL, and DNS",
  EAI_AGAIN: "DNS does not answer",
  ECONNRESET: "it hangs up: a TLS port asked in clear text (write rediss://), or a firewall",
  EHOSTUNREACH: "no way to this host: routing, firewall",
  ETIMEDOUT: "nothing answers at its address: security group, firewall, routing",
};

const CERTIFICATE =
  "its certificate is not trusted: NODE_EXTRA_CA_CERTS adds an authority; the name in STORE_URL must be the certificate's";
const CLEAR = "it speaks no TLS there: write redis:// in STORE_URL, or its TLS port";

/** The cure for an error code; undefined if there is none. */
export function redisCure(code: string): string | undefined {
  if (/CERT|SIGNATURE|ALTNAME/.test(code)) return CERTIFICATE;
  if (/SSL|EPROTO/.test(code)) return CLEAR;
  return CURES[code];
}

/** Every command the service sends, directly or in a script, and its purpose. */
const COMMANDS: readonly {
  name: string;
  build: (key: string) => string[];
  purpose: string;
  optional?: string;
}[] = [
  { name: "ping", build: () => ["PING"], purpose: "to notice a dead connection" },
  { name: "eval", build: (key) => ["EVAL", "return 1", "1", key], purpose: "to compare and set in one step" },
  {
    name: "evalsha",
    build: (key) => ["EVALSHA", "0".repeat(40), "1", key],
    purpose: "to send scripts by their digest",
    optional: "whole scripts are sent instead",
  },
  {
    name: "role",
    build: () => ["ROLE"],
    purpose: "to notice a server that was demoted",
    optional: "the next write notices it",
  },
  {
    name: "subscribe",
    build: (key) => ["SUBSCRIBE", key],
    purpose: "to hear of a new pair at once",
    optional: "replicas ask every few seconds instead",
  },
  ...within("time", "to date what is stored", ["TIME"]),
  ...within("hset", "to store the pair", ["HSET", "", "doctor", "1"]),
  ...within("hget", "to store the pair", ["HGET", "", "doctor"]),
  ...within("hmget", "to read the pair", ["HMGET", "", "doctor"]),
  ...within("pexpire", "to forget registers that are not used", ["PEXPIRE", "", "60000"]),
  ...within("publish", "to tell other processes of a new pair", ["PUBLISH", "", "doctor"]),
  ...within("del", "to share repeats", ["DEL", ""]),
  { name: "set", build: (key) => ["SET", key, "1", "PX", "60000"], purpose: "to share repeats" },
  { name: "get", build: (key) => ["GET", key], purpose: "to share repeats" },
  ...within("incrby", "to count for limits", ["INCRBY", "", "1"]),
  ...within("pttl", "to count for limits", ["PTTL", ""]),
];

/** A command called only by scripts: logins must allow it, proxies need not know it. "" is the key. */
function within(name: string, purpose: string, command: readonly string[]) {
  const call = command
    .map((part, i) => (i === 0 ? `'${part}'` : part === "" ? "KEYS[1]" : `'${part}'`))
    .join(", ");
  return [{ name, build: (key: string) => ["EVAL", `redis.call(${call}) return 1`, "1", key], purpose }];
}

/** Checks that the login may send the service's commands, and what Redis reports about itself. */
export async function checkRedis(parts: RedisParts): Promise<Check[]> {
  return [...(await checkCommands(parts)), ...(await checkServer(parts.send))];
}

async function checkCommands({ send, sendApart, key }: RedisParts): Promise<Check[]> {
  const { ok, warn, fail } = checksFor("Redis commands");
  const missing: Check[] = [];
  for (const { name, build, purpose, optional } of COMMANDS) {
    const error: unknown = await (name === "subscribe" ? sendApart : send)(build(key)).then(
      () => undefined,
      (refused: unknown) => refused,
    );
    if (!isRefused(error)) continue;
    const detail = `${name} (${troubleOf(error)}), which is needed ${purpose}`;
    const cure = redisCure(troubleOf(error)) ?? "";
    missing.push(optional === undefined ? fail(detail, cure) : warn(`${detail}; ${optional}`, cure));
  }
  await send(["DEL", key]).catch(() => undefined);
  return missing.length > 0 ? missing : [ok(`all ${COMMANDS.length} may be sent`)];
}

async function checkServer(send: RedisParts["send"]): Promise<Check[]> {
  const { ok, skip, warn, fail } = checksFor("Redis");
  let text: string;
  try {
    text = String(await send(["INFO"]));
  } catch (error) {
    return [skip(`INFO is refused (${codeOf(error)}): version, role and memory policy are not known`)];
  }
  const fields = new Map(
    [...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name, value ?? ""]),
  );
  const version = fields.get("valkey_version") ?? fields.get("redis_version") ?? "unknown";
  const [role, policy] = [fields.get("role"), fields.get("maxmemory_policy")];
  return [
    Number.parseInt(version, 10) >= 4
      ? ok(`version ${version}`)
      : warn(`version ${version}`, "what was tried stands in docs/redis.md"),
    role === "slave" ? fail(`role ${role}`, "STORE_URL must lead to the primary") : ok("is the primary"),
    policy === "noeviction" || fields.get("maxmemory") === "0"
      ? ok(`memory policy ${policy}`)
      : warn(`memory policy ${policy}: it may throw the pair away`, "set maxmemory-policy noeviction"),
  ];
}
