import { afterAll, describe, expect, test, vi } from "vitest";
import { loginsOf, parseStoreUrl, type StoreLocation } from "../../src/config/store-url.ts";
import { createSharedTables } from "../../src/database/shared-tables.ts";
import { keyRing } from "../../src/domain/seal-keys.ts";
import { createMemoryLaunchStore } from "../../src/launches/memory-store.ts";
import { openLaunchStores } from "../../src/launches/open-store.ts";
import type { LaunchStore } from "../../src/launches/store.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Secret } from "../../src/lib/redacted.ts";
import { createRedisCommands } from "../../src/redis/commands.ts";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { createSealer } from "../../src/tickets/sealer.ts";
import { eventually } from "../support/harness.ts";
import { missingPostgres, startPostgres, stopPostgres } from "../support/postgres.ts";
import { missingRedis, startRedis, stopRedis } from "../support/redis.ts";

const ends: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
  await Promise.all([stopRedis(), stopPostgres()]);
});

/** Two processes' stores of links on one server. */
async function sharedStores(url: string): Promise<LaunchStore[]> {
  const place = parseStoreUrl(url) as StoreLocation;
  const logins = () => loginsOf(place);
  const sealer = createSealer("app", () => keyRing(undefined, [new Secret("secret")]));
  const open = async () => {
    const shared =
      createRedisCommands(place, systemClock, logins) ?? createSharedTables(place, systemClock, logins);
    if (!shared) throw new Error("no shared store");
    await shared.start();
    ends.push(() => shared.stop());
    const pseudonym = (text: string) => Buffer.from(text).toString("hex");
    const events = { launchStoreAsked: () => undefined };
    const { links } = openLaunchStores({
      prefix: "test",
      shared,
      pseudonym,
      sealer,
      clock: systemClock,
      events,
    });
    // Connecting takes a moment.
    await eventually(() =>
      links.outcome("ready").then(
        () => true,
        () => false,
      ),
    );
    return links;
  };
  return Promise.all([open(), open()]);
}

describe.each([
  {
    name: "memory",
    missing: undefined,
    open: async () => {
      const store = createMemoryLaunchStore(systemClock);
      return [store, store];
    },
  },
  {
    name: "Redis",
    missing: missingRedis("redis-server"),
    open: async () => sharedStores((await startRedis()).url),
  },
  {
    name: "PostgreSQL",
    missing: missingPostgres(),
    open: async () => sharedStores(await (await startPostgres()).createDatabase()),
  },
])("what is kept in $name", ({ missing, open }) => {
  const opened = missing === undefined ? open() : undefined;
  const both = async () => (await opened) as [LaunchStore, LaunchStore];

  test.skipIf(missing)("is changed by one process at a time, and no change is lost", async () => {
    const stores = await both();
    const count = (store: LaunchStore) =>
      store.change("counted", (kept) => ({ text: String(Number(kept ?? "0") + 1), lifeMs: 60_000 }));
    await Promise.all(Array.from({ length: 40 }, (_, i) => count(stores[i % 2] as LaunchStore)));
    expect(await stores[0].outcome("counted")).toBe("40");
  });

  test.skipIf(missing)("stays as it is if there is nothing to change", async () => {
    const [one, other] = await both();
    expect(await one.change("unchanged", () => undefined)).toBeUndefined();
    expect(await one.outcome("unchanged")).toBeUndefined();
    await one.keep("unchanged", "first", 60_000);
    expect(await other.change("unchanged", () => undefined)).toBe("first");
    expect(await other.change("unchanged", (kept) => ({ text: `${kept}, second`, lifeMs: 60_000 }))).toBe(
      "first, second",
    );
    expect(await one.outcome("unchanged")).toBe("first, second");
  });

  test.skipIf(missing)("is gone when it is erased, and when its life is over", async () => {
    const [one, other] = await both();
    await one.keep("erased", "text", 60_000);
    await other.erase("erased");
    expect(await one.outcome("erased")).toBeUndefined();
    await one.keep("short", "text", 30);
    await expect.poll(() => other.outcome("short"), { timeout: 10_000 }).toBeUndefined();
    expect(await other.change("short", (kept) => ({ text: String(kept), lifeMs: 60_000 }))).toBe("undefined");
  });
});

test("in memory, what lives for a day keeps nothing else alive, and is deleted at its end without another call", async () => {
  const clock = createTurnableClock(systemClock);
  const store = createMemoryLaunchStore(clock);
  const deletions = vi.spyOn(Map.prototype, "delete");
  const deleted = () =>
    deletions.mock.calls
      .filter((_call, i) => deletions.mock.results[i]?.value === true)
      .map(([key]) => String(key));
  try {
    await store.keep("day", "identity", 24 * 3_600_000);
    for (let i = 0; i < 10; i++) await store.keep(`launch${i}`, "text", 120_000);
    clock.advance(150_000);
    await store.keep("after", "text", 120_000);
    expect(deleted()).toEqual(Array.from({ length: 10 }, (_, i) => `launch${i}`));
    clock.advance(24 * 3_600_000);
    await expect.poll(() => deleted().includes("day"), { timeout: 10_000 }).toBe(true);
  } finally {
    deletions.mockRestore();
  }
});
