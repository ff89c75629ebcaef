import { createHash } from "node:crypto";
import type { Logins, RedisLocation } from "../../config/store-url.ts";
import { StoreError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { withDeadline } from "../../lib/deadline.ts";
import { createRedisLink } from "../../redis/link.ts";
import { isRefused } from "../../redis/trouble.ts";
import { createChangeHints } from "./change-hints.ts";
import type { TicketStore } from "./store.ts";

/** A Lua text and the name a server that has seen it knows it by. */
export interface Script {
  text: string;
  sha: string;
}

const script = (text: string): Script => ({ text, sha: createHash("sha1").update(text).digest("hex") });

/** The version of a register that holds nothing. */
export const EMPTY_VERSION = "empty";

/** KEYS[1] register. Returns the server's time (seconds, microseconds), the version and the value. */
export const READ = script(`
local time = redis.call('TIME')
local register = redis.call('HMGET', KEYS[1], 'version', 'value')
return {time[1], time[2], register[1], register[2]}
`);

/**
 * KEYS[1] register; ARGV: version expected, new value, id of this write, life in milliseconds. Returns 1 if the value was
 * set. Versions are a number and the id of the write: the number never goes back, also if the data did, because it is at
 * least the server's clock; the id tells writes apart that a failover let happen twice. A write that a client sends
 * again after a lost connection finds its own id, and was done.
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

/** A register nobody has written for so long is of no use to anybody. */
const LIFE_MS = 24 * 60 * 60_000;

/** After so many calls in a row without an answer the connection is made anew. */
const MOST_UNANSWERED = 3;
const PROBE_LIFE_MS = 60_000;
/** After so many lines in a row that were cut at `ROLE`, there is none here. */
const MOST_CUT = 3;

export interface RedisStoreOptions {
  location: RedisLocation;
  /** Those of the moment, where they may change. */
  logins?: (() => Logins) | undefined;
  /** Names the register; also the channel of its hints. One hash slot. */
  key: string;
  clock: Clock;
  timings: { storeTimeoutMs: number };
}

/**
 * A register in Redis or Valkey (ticket-cache.md 2.13): one hash, one script to read it with the server's time, one to
 * compare and set. Every call ends by `storeTimeoutMs`; one that was sent by then has an unknown outcome.
 */
export function createRedisStore({ location, logins, key, clock, timings }: RedisStoreOptions): TicketStore {
  const hints = createChangeHints();
  const closing = new AbortController();
  let unanswered = 0;
  const link = createRedisLink({
    location,
    logins,
    clock,
    hints: { channel: key, hint: () => hints.fire() },
  });
  /** Whether there is `EVALSHA`, and `ROLE`: proxies may do without. Undefined while it is not known. */
  let [hasEvalSha, hasRole]: [boolean, boolean | undefined] = [true, undefined];
  let cut = 0;

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
   * A server that was demoted goes on answering, with what it had. Where `ROLE` cannot be asked, only a write finds that out,
   * which it does before any token call. Some proxies hang up on commands that they do not know.
   */
  async function askRole(signal: AbortSignal): Promise<void> {
    let role: string;
    try {
      [role] = (await link.send(key, ["ROLE"], signal)) as [string];
      [hasRole, cut] = [true, 0];
    } catch (error) {
      const hungUp = error instanceof StoreError && error.code === "DISCONNECTED";
      cut = hungUp ? cut + 1 : cut;
      if (!isRefused(error) && cut < MOST_CUT) throw error;
      hasRole = false;
      return;
    }
    // KeyDB's word for a primary that copies from another is `active-replica`.
    if (role !== "slave" && role !== "sentinel") return;
    link.renew();
    throw new StoreError("ROLE", "NOT_PRIMARY");
  }

  async function readAll(signal: AbortSignal): Promise<unknown> {
    if (hasRole === undefined) await askRole(signal);
    // Costs no round trip: both leave together.
    const [reply] = await Promise.all([run(READ, [], signal), hasRole ? askRole(signal) : undefined]);
    return reply;
  }

  async function limited<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (closing.signal.aborted) throw closing.signal.reason;
    try {
      const result = await withDeadline(clock, timings.storeTimeoutMs, work, closing.signal);
      unanswered = 0;
      return result;
    } catch (error) {
      // The client itself notices a dead line only when nothing is written to it for a while, and we go on asking.
      const late = error instanceof DOMException && error.name === "TimeoutError";
      unanswered = late ? unanswered + 1 : 0;
      if (unanswered === MOST_UNANSWERED) {
        unanswered = 0;
        link.renew();
      }
      throw late ? new StoreError("store", "TIMEOUT", error) : error;
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
        return (await run(COMPARE_AND_SET, [version, value, id, String(LIFE_MS)], signal)) === 1;
      }),
    probe: () =>
      limited(async (signal) => {
        await link.send(key, ["SET", `${key}:probe`, "1", "PX", String(PROBE_LIFE_MS)], signal);
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
