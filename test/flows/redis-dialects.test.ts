import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type HarnessOptions, startHarness } from "../support/harness.ts";
import { missingRedis, startRedis, stopRedis } from "../support/redis.ts";
import { type Dialect, startDialect } from "../support/redis-dialect.ts";

const person = { name: "张三", id_no: "11010519491231002X" };
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(stopRedis);

async function behind(dialect: Dialect, options: HarnessOptions = {}) {
  const redis = await startRedis();
  const proxy = await startDialect(redis.port, dialect);
  closing.push(() => proxy.stop());
  const harness = await startHarness({ ...options, env: { STORE_URL: proxy.url, ...options.env } });
  closing.push(() => harness.stop());
  return { harness, proxy, redis };
}

const CLIENT = ["HELLO", "CLIENT"];
const PROXIED = [...CLIENT, "ROLE", "SUBSCRIBE", "SELECT", "INFO", "KEYS"];

describe.skipIf(missingRedis("redis-server"))("a store that is no plain Redis", () => {
  test.each<[string, Dialect]>([
    ["Redis 2.8 to 5, and what speaks RESP2 only: no HELLO, no CLIENT", { unknown: CLIENT }],
    ["Envoy: no ROLE, no SUBSCRIBE, no SELECT", { unknown: PROXIED }],
    ["twemproxy, which hangs up on what it does not know", { hangUp: PROXIED }],
    ["a cloud's proxy without EVALSHA", { unknown: [...CLIENT, "EVALSHA"] }],
    [
      "a server whose EVALSHA is forbidden",
      { answers: { EVALSHA: "-NOPERM this user has no permissions\r\n" } },
    ],
    [
      "KeyDB, where a primary may be an active replica",
      { answers: { ROLE: "*1\r\n$14\r\nactive-replica\r\n" } },
    ],
  ])("a store like %s serves tickets, repeats and limits", async (_what, dialect) => {
    const { harness, proxy, redis } = await behind(dialect, { env: { LIMIT_PER_PERSON: "2/m" } });
    const launch = (request_id: string) =>
      harness.form("/get_face_params", { ...person, user_id: request_id, request_id });
    const first = await launch("a");
    expect(first.body.code).toBe("0");
    expect((await launch("a")).body.result.order_no).toBe(first.body.result.order_no);
    expect((await launch("b")).status).toBe(200);
    expect((await launch("c")).status).toBe(429);
    await harness.playSdk(first.body.result, "passed");
    const result = await harness.form("/get_result", { order_no: first.body.result.order_no });
    expect(result.body.code).toBe("0");
    // All of it is in Redis, and none of it was counted or kept by this process alone.
    const keys = (await redis.cli("KEYS", "*")).split("\n").map((key) => key.replace(/^.*\}:(\w+).*$/, "$1"));
    expect(new Set(keys)).toEqual(new Set(["tickets", "launch", "limit"]));
    const failures = harness.logs.filter(({ event }) => /store_(failed|down)/.test(String(event)));
    // What hangs up is found out by being hung up on.
    expect(failures.filter(({ code }) => !(dialect.hangUp && code === "DISCONNECTED"))).toEqual([]);
    expect(proxy.seen).not.toContain("HELLO");
  });

  test("a store without EVAL is reported by the missing command", async () => {
    const { harness } = await behind({ unknown: ["EVAL", "EVALSHA"] }, { ready: false });
    await expect
      .poll(() => harness.logs.filter(({ event }) => event === "store_down"))
      .toMatchObject([{ error: "EVAL: UNKNOWN_COMMAND", code: "UNKNOWN_COMMAND" }]);
    expect(JSON.stringify(harness.logs)).not.toContain("with args");
  });

  test("a demoted store without HELLO and CLIENT is still detected", async () => {
    const { harness } = await behind({ answers: { ROLE: "*1\r\n$5\r\nslave\r\n" } }, { ready: false });
    const down = () => harness.logs.filter(({ event }) => event === "store_down").map(({ error }) => error);
    await expect.poll(down, { timeout: 20_000 }).toContain("ROLE: NOT_PRIMARY");
    expect(harness.service.readiness().ready).toBe(false);
  });
});
