import { afterAll, describe, expect } from "vitest";
import { parseStoreUrl, type RedisLocation } from "../../src/config/store-url.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createRedisStore } from "../../src/tickets/stores/redis-store.ts";
import { missingRedis, type RedisServer, startRedis, stopRedis } from "../support/redis.ts";
import { describeStore } from "./store.contract.ts";

const key = "faceid:{test@host}:tickets";
const timings = { storeTimeoutMs: 5_000 };

describe.skipIf(missingRedis("redis-server"))("with a server", () => {
  afterAll(stopRedis);

  describeStore("redis", async () => {
    const server = await startRedis();
    return fixture(server, server.url);
  });

  describeStore("redis cluster", async () => {
    const server = await startRedis("--cluster-enabled", "yes");
    await server.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    await expect.poll(() => server.cli("CLUSTER", "INFO"), { timeout: 30_000 }).toContain("cluster_state:ok");
    return fixture(server, `redis+cluster://127.0.0.1:${server.port}`);
  });

  function fixture(server: RedisServer, url: string) {
    return {
      async open() {
        const store = createRedisStore({
          location: parseStoreUrl(url) as RedisLocation,
          key,
          clock: systemClock,
          timings,
        });
        await store.open();
        await expect
          .poll(
            () =>
              store.read().then(
                () => true,
                () => false,
              ),
            { timeout: 30_000 },
          )
          .toBe(true);
        return store;
      },
      wipe: async () => void (await server.cli("FLUSHALL")),
      end: () => server.kill(),
    };
  }
});
