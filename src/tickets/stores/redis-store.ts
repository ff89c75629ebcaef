import { createHash } from "node:crypto";
import type { Logins, RedisLocation } from "../../config/store-url.ts";
import { StoreError } from "../../errors.ts";
import { createChangeHints } from "../../lib/change-hints.ts";
import type { Clock } from "../../lib/clock.ts";
import { withDeadline } from "../../lib/deadline.ts";
import { createRedisLink } from "../../redis/link.ts";
import { isRefused } from "../../redis/trouble.ts";
import type { TicketStore } from "./store.ts";

/** A Lua script and the SHA-1 by which `EVALSHA` finds it. */
export interface Script {
  text: string;
  sha: string;
}

const script = (text: string): Script => ({ text, sha: createHash("sha1").update(text).digest("hex") });

/** The version of an empty register. */
const EMPTY_VERSION = "empty";

/** KEYS[1] register. Returns the server's time (seconds, microseconds), the version and the value. */
const READ = script(`
local time = redis.call('TIME')
local register = redis.call('HMGET', KEYS[1], 'version', 'value')
return {time[1], time[2], register[1], register[2]}
`);

/**
 * KEYS[1] register; ARGV: expected version, new value, id of this write, TTL in milliseconds. Returns 1 if the value was
 * set. A version is a number and the id of the write: the number never goes back, even if the data did, because it is at
 * least the server's clock; the id distinguishes two writes that a failover gave the same number. A write that a client
 * resends after a lost connection finds its own id, and counts as done.
 */
export const COMPARE_AND_SET = script(`
local stored = redis.call('HGET', KEYS[1], 'version') or '${EMPTY_VERSION}'
if string.sub(stored, -#ARGV[3]) == ARGV[3] then return 1 end
if stored ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local number = math.max(tonumber(string.match(stored, '^%d+') or 0) + 1, time[1] * 1000 + math.floor(time[2] / 1000))
local version = string.format('%.0f-%s', number, ARGV[3])
redis.call('HSET', KEYS[1], 'version', version, 'value', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PUBLISH', KEYS[1], version)
return 1
`);

/** TTL of an abandoned register, milliseconds. */
const REGISTER_TTL_MS = 24 * 60 * 60_000;

/** Consecutive timeouts before reconnecting. */
const MAX_TIMEOUTS = 3;
const PROBE_TTL_MS = 60_000;
/** Consecutive disconnects at `ROLE` after which it counts as unsupported. */
const MAX_HANG_UPS = 3;

export interface RedisStoreOptions {
  location: RedisLocation;
  /** The current credentials, if they may be reloaded. */
  logins?: (() => Logins) | undefined;
  /** The register's key, and its pub/sub channel for hints. One hash slot. */
  key: string;
  clock: Clock;
  timings: { storeTimeoutMs: number };
}

/**
 * A register in Redis or Valkey (ticket-cache.md 2.13): one hash, one script to read it with the server's time, one to
 * compare and set. Every call ends within `storeTimeoutMs`; if it was sent by then, its outcome is unknown.
 */
export function createRedisStore({ location, logins, key, clock, timings }: RedisStoreOptions): TicketStore {
  const hints = createChangeHints();
  const closing = new AbortController();
  let timeouts = 0;
  const link = createRedisLink({
    location,
    logins,
    clock,
    hints: { channel: key, hint: () => hints.fire() },
  });
  /** Whether the server supports `EVALSHA` and `ROLE`: proxies may not. Undefined: not known yet. */
  let [hasEvalSha, hasRole]: [boolean, boolean | undefined] = [true, undefined];
  let hangUps = 0;

  async function run(script: Script, args: string[], signal: AbortSignal): Promise<unknown> {
    const rest = ["1", key, ...args];
    try {
      if (hasEvalSha) return await link.send(key, ["EVALSHA", script.sha, ...rest], signal);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.code === "READONLY") link.renew();
      if (isRefused(error)) hasEvalSha = false;
      else if (error.code !== "NOSCRIPT") throw error;
    }
    return link.send(key, ["EVAL", script.text, ...rest], signal);
  }

  /**
   * Rejects a demoted server, which keeps serving its old data. Where `ROLE` is unsupported only a write detects that, and
   * one precedes every token call. Some proxies hang up on unknown commands.
   */
  async function checkRole(signal: AbortSignal): Promise<void> {
    let role: string;
    try {
      [role] = (await link.send(key, ["ROLE"], signal)) as [string];
      [hasRole, hangUps] = [true, 0];
    } catch (error) {
      const hungUp = error instanceof StoreError && error.code === "DISCONNECTED";
      hangUps = hungUp ? hangUps + 1 : hangUps;
      if (!isRefused(error) && hangUps < MAX_HANG_UPS) throw error;
      hasRole = false;
      return;
    }
    // KeyDB calls a primary that replicates from another `active-replica`.
    if (role !== "slave" && role !== "sentinel") return;
    link.renew();
    throw new StoreError("ROLE", "NOT_PRIMARY");
  }

  async function readAll(signal: AbortSignal): Promise<unknown> {
    if (hasRole === undefined) await checkRole(signal);
    // No extra round trip: both are pipelined.
    const [reply] = await Promise.all([run(READ, [], signal), hasRole ? checkRole(signal) : undefined]);
    return reply;
  }

  async function limited<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (closing.signal.aborted) throw closing.signal.reason;
    try {
      const result = await withDeadline(clock, timings.storeTimeoutMs, work, closing.signal);
      timeouts = 0;
      return result;
    } catch (error) {
      // The client detects a dead connection only while it is idle, and we keep sending.
      const timedOut = error instanceof DOMException && error.name === "TimeoutError";
      timeouts = timedOut ? timeouts + 1 : 0;
      if (timeouts === MAX_TIMEOUTS) {
        timeouts = 0;
        link.renew();
      }
      throw timedOut ? new StoreError("store", "TIMEOUT", error) : error;
    }
  }

  return {
    read: () =>
      limited(async (signal) => {
        const [seconds, microseconds, version, value] = (await readAll(signal)) as [
          string,
          string,
          string | null,
          string | null,
        ];
        const now = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
        return { value: value ?? undefined, version: version ?? EMPTY_VERSION, now };
      }),
    compareAndSet: (version, value) =>
      limited(async (signal) => {
        const id = crypto.randomUUID();
        return (await run(COMPARE_AND_SET, [version, value, id, String(REGISTER_TTL_MS)], signal)) === 1;
      }),
    probe: () =>
      limited(async (signal) => {
        await link.send(key, ["SET", `${key}:probe`, "1", "PX", String(PROBE_TTL_MS)], signal);
      }),
    watch: (listener) => hints.watch(listener),
    async open() {
      link.open();
    },
    async close() {
      if (closing.signal.aborted) return;
      closing.abort(new Error("the ticket store is closed"));
      hints.close();
      await link.close();
    },
  };
}
