import { missingPostgres, startPostgres, stopPostgres } from "./postgres.ts";
import { missingRedis, startRedis, stopRedis } from "./redis.ts";

/** A server that processes share their state in. */
export interface SharedServer {
  url: string;
  /** Everything that it stores, as text. */
  stored(): Promise<string>;
  /** Names and contents of everything about launches and links, a line each. */
  launches(): Promise<string>;
  kill(): Promise<void>;
}

async function redis(): Promise<SharedServer> {
  const server = await startRedis();
  const keys = async (pattern: string) =>
    (await server.cli("KEYS", pattern)).split("\n").filter((key) => key !== "");
  return {
    url: server.url,
    async stored() {
      const stored = [];
      for (const key of await keys("*")) {
        const type = await server.cli("TYPE", key);
        stored.push(key, type === "hash" ? await server.cli("HGETALL", key) : await server.cli("GET", key));
      }
      return stored.join("\n");
    },
    async launches() {
      const entries = (await keys("*:launch:*")).map(async (key) => `${key} ${await server.cli("GET", key)}`);
      return (await Promise.all(entries)).join("\n");
    },
    kill: () => server.kill(),
  };
}

async function postgres(): Promise<SharedServer> {
  const server = await startPostgres();
  const url = await server.createDatabase();
  return {
    url,
    stored: () => server.run("pg_dump", "--inserts", url),
    launches: () => server.sql(url, "SELECT name, value FROM faceid_launches"),
    kill: () => server.kill(),
  };
}

/** For `describe.each`; `missing`: why this one cannot be started here. */
export const SHARED_SERVERS = [
  { name: "Redis", start: redis, missing: missingRedis("redis-server") },
  { name: "PostgreSQL", start: postgres, missing: missingPostgres() },
];

/** Ends every server that was started here. For `afterAll`. */
export async function stopSharedServers(): Promise<void> {
  await Promise.all([stopRedis(), stopPostgres()]);
}
