import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RedisServer } from "../support/redis.ts";

/** Names and contents of all files below a directory, and what their bytes say as text. */
export function readDirectory(directory: string): string {
  if (!existsSync(directory)) return "";
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path}\n${entry.isFile() ? readFileSync(path, "utf8") : ""}`;
    })
    .join("\n");
}

/** Keys and values of a Redis server. */
export async function readRedis(redis: RedisServer): Promise<string> {
  const keys = (await redis.cli("keys", "*")).split("\n").filter((key) => key !== "");
  const values = await Promise.all(
    keys.map(async (key) => {
      const type = (await redis.cli("type", key)).trim();
      return type === "hash" ? redis.cli("hgetall", key) : redis.cli("get", key);
    }),
  );
  return [...keys, ...values].join("\n");
}
