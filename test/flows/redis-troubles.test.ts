import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, type ExpectStatic, expect, test } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { reloadOnChange } from "../../src/config/reload.ts";
import { runDoctor } from "../../src/doctor/main.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createAuthority } from "../support/certificates.ts";
import { freePort } from "../support/free-port.ts";
import { startHarness } from "../support/harness.ts";
import { missingRedis, type RedisServer, startRedis, stopRedis } from "../support/redis.ts";
import { startDialect } from "../support/redis-dialect.ts";

const person = { name: "张三", id_no: "11010519491231002X" };
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "troubles-"));
});
afterAll(async () => {
  await stopRedis();
  rmSync(directory, { recursive: true, force: true });
});

/** Starts the service on a Redis in trouble. */
async function withStore(STORE_URL: string, { poll }: Pick<ExpectStatic, "poll">) {
  const harness = await startHarness({ env: { STORE_URL }, ready: false });
  const down = () => harness.logs.find(({ event }) => event === "store_down");
  await poll(down, { timeout: 20_000 }).toBeDefined();
  return { harness, line: down() ?? {} };
}

async function diagnosed(
  harness: { sandbox: { appId: string; secret: string }; wire: { url: string } },
  STORE_URL: string,
) {
  const { appId, secret } = harness.sandbox;
  const env = { FACEID_APP_ID: appId, FACEID_SECRET: secret, FACEID_BASE_URL: harness.wire.url, STORE_URL };
  const { text } = await runDoctor(["--json"], env);
  const { checks } = JSON.parse(text) as {
    checks: { check: string; status: string; detail: string; cure?: string }[];
  };
  return checks.filter(({ check }) => check === "store" || check.startsWith("Redis"));
}

const secured = async () => {
  const redis = await startRedis("--requirepass", "right");
  return redis;
};

async function tlsRedis(): Promise<RedisServer> {
  using authority = createAuthority();
  const { cert, key } = authority.issue("redis");
  const own = mkdtempSync(join(directory, "tls-"));
  const file = (name: string, text: string) => {
    const path = join(own, name);
    writeFileSync(path, text);
    return path;
  };
  const files = [
    ["--tls-cert-file", file("cert.pem", cert)],
    ["--tls-key-file", file("key.pem", key)],
    ["--tls-ca-cert-file", file("ca.pem", authority.ca)],
  ];
  const port = await freePort();
  const redis = await startRedis("--tls-port", String(port), "--tls-auth-clients", "no", ...files.flat());
  return { ...redis, port };
}

describe.skipIf(missingRedis("redis-server"))(
  "trouble with Redis is named in one word, and the doctor has its cure",
  () => {
    test.for<[string, () => Promise<string>, string, RegExp]>([
      [
        "a wrong password",
        async () => `redis://:wrong@127.0.0.1:${(await secured()).port}`,
        "WRONGPASS",
        /Redis password/,
      ],
      [
        "no password where one is demanded",
        async () => (await secured()).url,
        "NOAUTH",
        /demands a password/,
      ],
      [
        "a login without rights",
        async () => {
          const redis = await startRedis();
          await redis.cli("ACL", "SETUSER", "poor", "on", ">secret", "+ping");
          return `redis://poor:secret@127.0.0.1:${redis.port}`;
        },
        "NOPERM",
        /docs\/redis.md, login/,
      ],
      [
        "nothing at the port",
        async () => `redis://127.0.0.1:${await freePort()}`,
        "ECONNREFUSED",
        /nothing listens/,
      ],
      ["a name that is not known", async () => "redis://redis.invalid:6379", "ENOTFOUND|EAI_AGAIN", /DNS/],
      [
        "a replica",
        async () => {
          const primary = await startRedis();
          return (await startRedis("--replicaof", "127.0.0.1", String(primary.port))).url;
        },
        "NOT_PRIMARY|READONLY",
        /primary/,
      ],
      [
        "a cluster that is not whole",
        async () =>
          (await startRedis("--cluster-enabled", "yes", "--cluster-port", String(await freePort()))).url,
        "CLUSTERDOWN",
        /all slots/,
      ],
      [
        "a server that still loads",
        async () => {
          const redis = await startRedis();
          const loading = "-LOADING Redis is loading the dataset in memory\r\n";
          return (await startDialect(redis.port, { answers: { EVALSHA: loading, EVAL: loading } })).url;
        },
        "LOADING",
        /wait/,
      ],
      [
        "a node of a cluster",
        async () => {
          const redis = await startRedis();
          const moved = "-MOVED 3999 127.0.0.1:6381\r\n";
          return (await startDialect(redis.port, { answers: { EVALSHA: moved, EVAL: moved } })).url;
        },
        "MOVED",
        /redis\+cluster/,
      ],
      [
        "TLS where there is none",
        async () => `rediss://127.0.0.1:${(await startRedis()).port}`,
        "ERR_SSL.*|EPROTO|TIMEOUT|CONNECT_TIMEOUT",
        /TLS/,
      ],
      [
        "no TLS where it is demanded",
        async () => `redis://127.0.0.1:${(await tlsRedis()).port}`,
        "ECONNRESET|DISCONNECTED",
        /rediss:/,
      ],
      [
        "a certificate of an unknown authority",
        async () => `rediss://127.0.0.1:${(await tlsRedis()).port}`,
        ".*(CERT|SIGNATURE).*",
        /NODE_EXTRA_CA_CERTS/,
      ],
    ])(
      "%s is reported as Redis trouble by its code, with a cure from the doctor",
      async ([_what, start, code, cure], { expect }) => {
        const url = await start();
        const { harness, line } = await withStore(url, expect);
        await using _ = harness;
        expect(line["code"]).toMatch(new RegExp(`^(${code})$`));
        const [store] = await diagnosed(harness, url);
        expect(store).toMatchObject({ status: "fail", cure: expect.stringMatching(cure) });
        expect(JSON.stringify(harness.logs)).not.toMatch(/wrong@|secret@|\b(6381|3999)\b/);
      },
    );

    test("a full memory is reported by its code", async () => {
      const redis = await startRedis("--maxmemory", "1kb", "--maxmemory-policy", "noeviction");
      await using harness = await startHarness({ env: { STORE_URL: redis.url }, ready: false });
      const [store] = await diagnosed(harness, redis.url);
      expect(store).toMatchObject({
        status: "fail",
        detail: expect.stringContaining("OOM"),
        cure: expect.stringContaining("maxmemory"),
      });
    });

    test("an unreachable Redis is logged once and counted per failed operation", async () => {
      const redis = await startRedis();
      await using harness = await startHarness({ env: { STORE_URL: redis.url, LIMIT_PER_PERSON: "90/m" } });
      const launch = (user_id: string) => harness.form("/get_face_params", { ...person, user_id });
      await launch("before");
      await redis.kill();
      for (let i = 0; i < 5; i++) expect((await launch(`away${i}`)).status).toBe(200);
      const lines = (event: string) => harness.logs.filter((line) => line["event"] === event);
      expect(lines("launch_store_failed")).toMatchObject([
        { code: expect.stringMatching(/DISCONNECTED|ECONNREFUSED|TIMEOUT/) },
      ]);
      expect(lines("limit_store_failed")).toHaveLength(1);
      const metrics = await (await fetch(`${harness.admin}/metrics`)).text();
      for (const name of ["launch", "limit"]) {
        const [, count] =
          new RegExp(`faceid_${name}_store_failures_total\\{[^}]*\\} (\\d+)`).exec(metrics) ?? [];
        expect(Number(count)).toBeGreaterThanOrEqual(5);
      }
      await redis.restart();
      await expect
        .poll(
          async () => {
            await launch("after");
            return [lines("launch_store_recovered").length, lines("limit_store_recovered").length];
          },
          { timeout: 20_000, interval: 500 },
        )
        .toEqual([1, 1]);
    });
  },
);

describe.skipIf(missingRedis("redis-server"))("STORE_URL_FILE that changes", () => {
  async function started() {
    const redis = await startRedis();
    const login = (...rules: string[]) => redis.cli("ACL", "SETUSER", "faceid", ...rules);
    await login("on", ">old", "~*", "&*", "+@all");
    const urlOf = (password: string, database = "") =>
      `redis://faceid:${password}@127.0.0.1:${redis.port}${database}`;
    const file = { text: urlOf("old") };
    const readFile = () => file.text;
    const harness = await startHarness({
      env: { STORE_URL: "", STORE_URL_FILE: "url", LIMIT_PER_PERSON: "90/m" },
      readFile,
    });
    const ending = new AbortController();
    const events: Record<string, unknown>[] = [];
    const env = {
      FACEID_APP_ID: harness.sandbox.appId,
      FACEID_SECRET: harness.sandbox.secret,
      STORE_URL_FILE: "url",
    };
    void reloadOnChange({
      started: harness.config,
      read: (read) => readConfig({ ...env, FACEID_BASE_URL: harness.wire.url }, read),
      readFile,
      apply: (config) => harness.service.reload(config),
      clock: { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(20, signal) },
      signal: ending.signal,
      events: {
        configReloaded: () => void events.push({ event: "config_reloaded" }),
        configRejected: ({ error }) => void events.push({ event: "config_rejected", error }),
        configWaits: ({ settings }) => void events.push({ event: "config_waits", settings }),
      },
    });
    return {
      redis,
      login,
      urlOf,
      file,
      harness,
      events,
      async [Symbol.asyncDispose]() {
        ending.abort();
        await harness.stop();
      },
    };
  }

  test("a rotated password is adopted by tickets, launches and limits", async () => {
    await using service = await started();
    const { harness, redis, events } = service;
    await service.login(">new");
    service.file.text = service.urlOf("new");
    await expect.poll(() => events).toEqual([{ event: "config_reloaded" }]);
    await service.login("<old");
    await redis.cli("CLIENT", "KILL", "TYPE", "normal");
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    const launch = () => harness.form("/get_face_params", { ...person, user_id: "u", request_id: "r" });
    await launch();
    const counted = async () => (await redis.cli("KEYS", "*:limit:*")).length > 0;
    await expect
      .poll(
        async () => {
          await launch();
          return counted();
        },
        { timeout: 20_000, interval: 500 },
      )
      .toBe(true);
    const metrics = await (await fetch(`${harness.admin}/metrics`)).text();
    expect(metrics).toMatch(/faceid_ticket_store_up\{[^}]*\} 1/);
    expect(JSON.stringify(harness.logs)).not.toContain("WRONGPASS");
  });

  test("another store location is logged as waiting for a restart", async () => {
    await using service = await started();
    service.file.text = service.urlOf("old", "/3");
    await expect
      .poll(() => service.events)
      .toEqual([{ event: "config_reloaded" }, { event: "config_waits", settings: ["STORE_URL"] }]);
  });
});
