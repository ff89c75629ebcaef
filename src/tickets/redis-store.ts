import type { RedisLocation } from "../domain/store-url.ts";
import { type Clock, withDeadline } from "../lib/clock.ts";
import { createRedisLink } from "../redis/link.ts";
import { createHints } from "./hints.ts";
import { COMPARE_AND_SET, EMPTY, READ, type Script } from "./redis-scripts.ts";
import type { TicketStore } from "./store.ts";

/** A register nobody has written for so long is of no use to anybody. */
const LIFE_MS = 24 * 60 * 60_000;

/** After so many calls in a row without an answer the connection is made anew. */
const MOST_UNANSWERED = 3;

export interface RedisStoreOptions {
  location: RedisLocation;
  /** Names the register; also the channel of its hints. One hash slot. */
  key: string;
  clock: Clock;
  timings: { storeTimeoutMs: number };
}

/**
 * A register in Redis or Valkey (ticket-cache.md 2.13): one hash, one script to read it with the server's time, one to
 * compare and set. Every call ends by `storeTimeoutMs`; one that was sent by then has an unknown outcome.
 */
export function createRedisStore({ location, key, clock, timings }: RedisStoreOptions): TicketStore {
  const hints = createHints();
  const closing = new AbortController();
  let unanswered = 0;
  const link = createRedisLink({ location, clock, hints: { channel: key, hint: () => hints.fire() } });

  async function run(script: Script, args: string[], signal: AbortSignal): Promise<unknown> {
    try {
      return await link.send(key, ["EVALSHA", script.sha, "1", key, ...args], signal);
    } catch (error) {
      const message = error instanceof Error ? error.message : "";
      if (message.startsWith("READONLY")) link.renew();
      if (!message.startsWith("NOSCRIPT")) throw error;
      return link.send(key, ["EVAL", script.text, "1", key, ...args], signal);
    }
  }

  /** A server that was demoted goes on answering, with what it had. Costs no round trip: both leave together. */
  async function mustBePrimary(signal: AbortSignal): Promise<void> {
    const [role] = (await link.send(key, ["ROLE"], signal)) as [string];
    if (role === "master") return;
    link.renew();
    throw new Error("the ticket store's server is no longer the primary");
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
      throw error;
    }
  }

  return {
    read: () =>
      limited(async (signal) => {
        const [reply] = await Promise.all([run(READ, [], signal), mustBePrimary(signal)]);
        const [seconds, microseconds, version, value] = reply as [
          string,
          string,
          string | null,
          string | null,
        ];
        const now = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
        return { value: value ?? undefined, version: version ?? EMPTY, now };
      }),
    compareAndSet: (version, value) =>
      limited(async (signal) => {
        const id = crypto.randomUUID();
        return (await run(COMPARE_AND_SET, [version, value, id, String(LIFE_MS)], signal)) === 1;
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
