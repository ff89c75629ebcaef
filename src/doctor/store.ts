import type { StoreLocation } from "../config/store-url.ts";
import type { Clock } from "../lib/clock.ts";
import type { TicketStore } from "../tickets/stores/store.ts";
import { type Check, checksFor, codeOf } from "./check.ts";
import { checkDirectories } from "./directory.ts";
import { postgresCure } from "./postgres.ts";
import { checkRedis, type RedisParts, redisCure } from "./redis.ts";

export interface StoreParts {
  location: StoreLocation;
  /** The real register's directory, for a file store. */
  register: string | undefined;
  /** A separate register that no other process uses. */
  scratch: TicketStore;
  /** Removes the scratch register. */
  removeScratch: () => Promise<unknown>;
  /** Set if the store is a Redis. */
  redis: RedisParts | undefined;
  clock: Clock;
}

/** Connect timeout, and the time from which an operation counts as slow, milliseconds. */
const CONNECT_MS = 5_000;
const SLOW_MS = 50;

/** Checks that the store works, its speed and its setup. Does not touch the tickets. */
export async function checkStore(parts: StoreParts): Promise<Check[]> {
  const { location, register, redis } = parts;
  if (location.kind === "memory") {
    return [
      checksFor("store").warn(
        "memory: each process has a pair of its own",
        "for tests alone; in production STORE_URL must name what all processes share",
      ),
    ];
  }
  const place =
    location.kind === "file" && register !== undefined
      ? await checkDirectories({ store: location.directory, register })
      : undefined;
  if (place && place.status !== "ok") return [place];
  const works = await tryOut(parts);
  const answered = works.status !== "fail";
  return [...(place ? [place] : []), works, ...(redis && answered ? await checkRedis(redis) : [])];
}

/** Writes and compares in the scratch register, as a refresh does. */
async function tryOut({ location, scratch, removeScratch, clock }: StoreParts): Promise<Check> {
  const { ok, warn, fail } = checksFor("store");
  const cure = "docs/runbook.md, store down; docs/postgres.md or docs/redis.md for what its login needs";
  try {
    await scratch.open();
    const { version } = await connected(scratch, clock);
    const startedAt = clock.monotonic();
    const written = await scratch.compareAndSet(version, "{}");
    const stale = await scratch.compareAndSet(version, "[]");
    const { value } = await scratch.read();
    const eachMs = (clock.monotonic() - startedAt) / 3;
    if (!written || stale || value !== "{}") return fail("it does not compare and set", cure);
    const detail = `read, written and compared, ${eachMs.toFixed(1)} ms each`;
    return eachMs > SLOW_MS ? warn(detail, "put it nearer, or give it a faster disk") : ok(detail);
  } catch (error) {
    const code = codeOf(error);
    const cureOf = location.kind === "postgres" ? postgresCure : redisCure;
    return fail(`it does not answer (${code})`, cureOf(code) ?? cure);
  } finally {
    await removeScratch().catch(() => undefined);
    await scratch.close();
  }
}

/** Transient errors; others persist. */
const TRANSIENT: ReadonlySet<string> = new Set(["DISCONNECTED", "NO_NODE", "TIMEOUT"]);

/** Retries the first read, since a server is connected to in the background. */
async function connected(store: TicketStore, clock: Clock): Promise<{ version: string }> {
  const until = clock.monotonic() + CONNECT_MS;
  for (;;) {
    try {
      return await store.read();
    } catch (error) {
      if (clock.monotonic() > until || !TRANSIENT.has(codeOf(error))) throw error;
      await clock.sleep(100);
    }
  }
}
