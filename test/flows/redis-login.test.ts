import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Check } from "../../src/doctor/check.ts";
import { runDoctor } from "../../src/doctor/main.ts";
import { startHarness } from "../support/harness.ts";
import { missingRedis, startRedis, startSentinel, stopRedis } from "../support/redis.ts";
import { startCluster } from "../support/redis-cluster.ts";

/** The rules of each login in the documentation, in its order. */
const documented = readFileSync(join(import.meta.dirname, "../../docs/redis.md"), "utf8");
const [server = [], cluster = [], sentinels = []] = [
  ...documented.matchAll(/^ACL SETUSER faceid on >PASSWORD (.*)$/gm),
].map(([, rules = ""]) => rules.split(" "));

const person = { name: "张三", id_no: "11010519491231002X" };
afterAll(stopRedis);

async function drive(STORE_URL: string, keys: () => Promise<string[]>): Promise<void> {
  await using harness = await startHarness({
    env: { STORE_URL, LIMIT_PER_PERSON: "2/m", LIMIT_PER_CALLER: "90/m" },
  });
  const launch = (request_id: string) =>
    harness.form("/get_face_params", { ...person, user_id: request_id, request_id });
  const first = await launch("a");
  expect(first.body.code).toBe("0");
  expect((await launch("a")).body.result.order_no).toBe(first.body.result.order_no);
  await launch("b");
  expect((await launch("c")).status).toBe(429);
  const rooms = (await keys()).map((key) => key.replace(/^.*\}:(\w+).*$/, "$1"));
  expect(new Set(rooms)).toEqual(new Set(["tickets", "launch", "limit"]));
  const failures = harness.logs.filter(({ event }) => /store_(failed|down)/.test(String(event)));
  // A slow machine may be late at first; it is rights that are tried here.
  expect(failures.filter(({ code }) => code !== "TIMEOUT")).toEqual([]);
}

describe.skipIf(missingRedis("redis-server", "redis-sentinel"))(
  "the login of docs/redis.md is sufficient",
  () => {
    test("the documented login is sufficient for one server, also with its own database", async () => {
      const redis = await startRedis();
      await redis.cli("ACL", "SETUSER", "faceid", "on", ">secret", ...server, "+select");
      const keys = async () => (await redis.cli("-n", "5", "KEYS", "*")).split("\n");
      await drive(`redis://faceid:secret@127.0.0.1:${redis.port}/5`, keys);
    });

    test("the doctor tries each command and names those that the login lacks", async () => {
      const redis = await startRedis();
      const lacking = ["+incrby", "+subscribe", "+role"];
      const rules = server.filter((rule) => !lacking.includes(rule));
      await redis.cli("ACL", "SETUSER", "faceid", "on", ">secret", ...rules);
      const env = {
        FACEID_APP_ID: "IDAXXXXX",
        FACEID_SECRET: "secret",
        FACEID_BASE_URL: "http://127.0.0.1:1",
      };
      const examined = async () => {
        const STORE_URL = `redis://faceid:secret@127.0.0.1:${redis.port}`;
        const { text } = await runDoctor(["--json"], { ...env, STORE_URL });
        const { checks } = JSON.parse(text) as { checks: Check[] };
        return checks.filter(({ check }) => check === "Redis commands");
      };
      expect((await examined()).map(({ status, detail }) => `${status} ${detail.split(" ")[0]}`)).toEqual([
        "warn role",
        "warn subscribe",
        "fail incrby",
      ]);
      await redis.cli("ACL", "SETUSER", "faceid", ...server);
      expect(await examined()).toMatchObject([{ status: "ok" }]);
    });

    test("the documented login is sufficient for a master behind Sentinels", async () => {
      const redis = await startRedis();
      await redis.cli("ACL", "SETUSER", "faceid", "on", ">secret", ...server);
      const sentinel = await startSentinel(redis.port, "tickets", 1);
      await sentinel.cli("ACL", "SETUSER", "faceid", "on", ">other", ...sentinels);
      const url = `redis+sentinel://faceid:secret@127.0.0.1:${sentinel.port}/tickets?sentinel_username=faceid&sentinel_password=other`;
      await drive(url, async () => (await redis.cli("KEYS", "*")).split("\n"));
    });

    test("the documented login is sufficient for a cluster", async () => {
      const { primaries, replica, url } = await startCluster("faceid");
      for (const node of [...primaries, replica])
        await node.cli("ACL", "SETUSER", "faceid", "on", ">secret", ...cluster);
      const keys = async () =>
        (await Promise.all(primaries.map((node) => node.cli("KEYS", "*")))).join("\n").split("\n");
      await drive(url.replace("://", "://faceid:secret@"), async () => (await keys()).filter(Boolean));
    });
  },
);
