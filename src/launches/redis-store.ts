import type { LaunchStore } from "./store.ts";

/** Sends one command to the server responsible for `key`; rejects if it does not respond in time. */
export type Send = (key: string, command: string[]) => Promise<unknown>;

/**
 * KEYS[1] claim; ARGV: token, TTL in milliseconds. Returns the other owner's token, or nil if the claim is
 * ours.
 */
const CLAIM = `
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return owner end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
`;

/** KEYS[1] claim; ARGV: token. */
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/**
 * KEYS[1] outcome; ARGV: its present value or "" for none, the next one, TTL in milliseconds. Returns 1 if it was replaced.
 */
const REPLACE = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`;

export interface RedisLaunchOptions {
  /** Prefix of every key, such as `faceid:{app@host}:launch`. */
  prefix: string;
  send: Send;
  /** Hides what keys say of persons and request ids. */
  pseudonym: (key: string) => string;
  /** Encrypts outcomes, which contain signatures. */
  seal: (plain: string, token: string) => string;
  /** Undefined for anything not sealed as this token's outcome. */
  open: (sealed: string, token: string) => string | undefined;
}

/** A launch store in Redis: a key per claim and one per outcome, each with a TTL. */
export function createRedisLaunchStore({
  prefix,
  send,
  pseudonym,
  seal,
  open,
}: RedisLaunchOptions): LaunchStore {
  const claimKey = (key: string) => `${prefix}:${pseudonym(key)}`;
  const outcomeKey = (token: string) => `${prefix}:outcome:${token}`;
  const ttl = (ms: number) => String(Math.ceil(ms));

  return {
    shared: true,
    async claim(key, token, lifeMs) {
      const name = claimKey(key);
      const owner = await send(name, ["EVAL", CLAIM, "1", name, token, ttl(lifeMs)]);
      return typeof owner === "string" ? owner : undefined;
    },
    async release(key, token) {
      const name = claimKey(key);
      await send(name, ["EVAL", RELEASE, "1", name, token]);
    },
    async keep(token, outcome, lifeMs) {
      const name = outcomeKey(token);
      await send(name, ["SET", name, seal(outcome, token), "PX", ttl(lifeMs)]);
    },
    async outcome(token) {
      const name = outcomeKey(token);
      const sealed = await send(name, ["GET", name]);
      return typeof sealed === "string" ? open(sealed, token) : undefined;
    },
    async change(token, next) {
      const name = outcomeKey(token);
      for (;;) {
        const sealed = await send(name, ["GET", name]);
        const held = typeof sealed === "string" ? sealed : "";
        const kept = held === "" ? undefined : open(held, token);
        const { text, lifeMs } = next(kept) ?? {};
        if (text === undefined || lifeMs === undefined) return kept;
        const replace = ["EVAL", REPLACE, "1", name, held, seal(text, token), ttl(lifeMs)];
        if ((await send(name, replace)) === 1) return text;
      }
    },
    async erase(token) {
      const name = outcomeKey(token);
      await send(name, ["DEL", name]);
    },
  };
}
