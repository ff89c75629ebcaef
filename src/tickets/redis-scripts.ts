import { createHash } from "node:crypto";

/** A Lua text and the name a server that has seen it knows it by. */
export interface Script {
  text: string;
  sha: string;
}

const script = (text: string): Script => ({ text, sha: createHash("sha1").update(text).digest("hex") });

/** The version of a register that holds nothing. */
export const EMPTY = "empty";

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
local stored = redis.call('HGET', KEYS[1], 'version') or '${EMPTY}'
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
