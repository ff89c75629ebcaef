import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
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

/** A receiver of webhooks: headers and bodies as they came. */
export async function startWebhookReceiver() {
  const received: string[] = [];
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    bodies.push(body);
    received.push(`${JSON.stringify(request.headers)}\n${body}`);
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    received,
    bodies,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
