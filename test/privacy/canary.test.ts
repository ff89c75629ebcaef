import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { PHOTO_BASE64 } from "../../src/sandbox/vendor/media.ts";
import { createAudit } from "../../src/telemetry/audit.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createOtlpSpans } from "../../src/telemetry/otlp-spans.ts";
import { endChildren, launchChild, startChild, startUpstream } from "../support/child.ts";
import { eventually } from "../support/harness.ts";
import { AUDIENCE, ISSUER, startProvider } from "../support/identity-provider.ts";
import { startOtlpReceiver } from "../support/otlp-receiver.ts";
import { missingPostgres, type PostgresServer, startPostgres, stopPostgres } from "../support/postgres.ts";
import { type Recorder, startRecorder } from "../support/recorder.ts";
import { missingRedis, type RedisServer, startRedis, stopRedis } from "../support/redis.ts";
import { drive, type Marks } from "./drive.ts";
import { type Canary, encodingsOf, findLeaks, type Sinks } from "./leaks.ts";
import { readDirectory, readRedis, startWebhookReceiver } from "./sinks.ts";

/** A number of nobody's, with the right check digit. */
function someIdNo(): string {
  const digits = `119999${1900 + Math.floor(Math.random() * 99)}0101${String(Math.floor(Math.random() * 1000)).padStart(3, "0")}`;
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
  const sum = weights.reduce((total, weight, i) => total + weight * Number(digits[i]), 0);
  return digits + "10X98765432"[sum % 11];
}

const PHOTO_MARK = randomBytes(24);
const marks: Marks = {
  name: "金丝雀甲乙丙",
  idNo: someIdNo(),
  userId: `canary${randomBytes(6).toString("hex")}u`,
  photo: Buffer.concat([
    Buffer.from([0xff, 0xd8, 0xff, 0xe0]),
    Buffer.alloc(50),
    PHOTO_MARK,
    Buffer.alloc(51),
  ]),
  grpcToken: randomBytes(24).toString("hex"),
  httpToken: randomBytes(24).toString("hex"),
  owner: `owner-${randomBytes(8).toString("hex")}`,
  appKey: randomBytes(24).toString("hex"),
  wrongToken: randomBytes(24).toString("hex"),
  webhookSecret: `whsec_${randomBytes(32).toString("base64")}`,
};

/** Everything that must be found nowhere once the calls are over. */
function canaries(sandbox: Sandbox, wire: Recorder): Canary[] {
  const sent = wire.calls.flatMap(({ query, body }) => [
    { what: "a signature", value: body["sign"] },
    { what: "a nonce", value: body["nonce"] },
    { what: "an access token", value: query["access_token"] },
  ]);
  const unique = new Map([
    ...sent.map(({ what, value }) => [value, what] as const),
    ...sandbox.issuedValues().map((value) => [value, "a token or ticket"] as const),
  ]);
  unique.delete(undefined);
  return [
    { what: "the name", value: marks.name },
    { what: "the ID number", value: marks.idNo },
    { what: "the ID number's birth and check part", value: marks.idNo.slice(6) },
    { what: "the user id", value: marks.userId },
    { what: "the photo", value: PHOTO_MARK },
    { what: "the whole photo", value: marks.photo },
    { what: "the photo of the result", value: Buffer.from(PHOTO_BASE64, "base64").subarray(37, 73) },
    { what: "the app secret", value: sandbox.secret },
    { what: "a bearer token", value: marks.grpcToken },
    { what: "a bearer token", value: marks.httpToken },
    { what: "the owner of an order", value: marks.owner },
    { what: "the key of an app", value: marks.appKey },
    { what: "a webhook secret", value: marks.webhookSecret },
    { what: "a webhook secret's bytes", value: Buffer.from(marks.webhookSecret.slice(6), "base64") },
    { what: "an unknown bearer token", value: marks.wrongToken },
    ...[...unique].map(([value = "", what]) => ({ what, value })),
  ];
}

let directory: string;
let redis: RedisServer | undefined;
let postgres: PostgresServer | undefined;
const noRedis = missingRedis("redis-server") ?? missingPostgres();
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "canary-"));
  if (noRedis !== undefined) return;
  [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
});
afterAll(async () => {
  await Promise.all([stopRedis(), stopPostgres()]);
  rmSync(directory, { recursive: true, force: true });
});
afterEach(() => endChildren());

describe.each([
  ["files", undefined],
  ["Redis, and the ledger in PostgreSQL", noRedis],
])("with the store in %s", (kind, missing) => {
  test.skipIf(missing)(
    "no personal data and no secret is written anywhere",
    { timeout: 240_000 },
    async () => {
      const { sandbox, env } = await startUpstream();
      const wire = await startRecorder(sandbox.url);
      const receiver = await startOtlpReceiver();
      const provider = await startProvider();
      const store = join(directory, `store-${kind}`);
      const ledger = join(directory, `ledger-${kind}`);
      const database = kind === "files" ? undefined : await postgres?.createDatabase();
      const webhooks = await startWebhookReceiver();
      const audit = join(directory, `audit-${kind}`);
      const settings = {
        ...env,
        FACEID_BASE_URL: wire.url,
        STORE_URL: kind === "files" ? `file:${store}` : (redis?.url ?? ""),
        LEDGER_URL: database ?? `sqlite:${ledger}`,
        WEBHOOK_ENDPOINTS: `crm=${webhooks.url}`,
        WEBHOOK_SECRETS: `crm:${marks.webhookSecret}`,
        AUDIT_LOG: audit,
        LOG_LEVEL: "trace",
        // A faster clock, so that refreshes come too.
        REFRESH_INTERVAL: "6s",
        TOKEN_OVERLAP: "6s",
        GRPC_AUTH_TOKENS: `canary:${marks.grpcToken}`,
        HTTP_AUTH_TOKENS: `canary:${marks.httpToken}`,
        LIMIT_PER_PERSON: "100000/m",
        LIMIT_PER_CALLER: "100000/m",
        LIMIT_PER_IP: "100000/m",
        JWT_JWKS_URL: provider.url,
        JWT_ISSUER: ISSUER,
        JWT_AUDIENCE: AUDIENCE,
        FORM_HMAC_KEYS: `app:${marks.appKey}`,
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        PUBLIC_URL: "https://verify.example",
      };
      sandbox.faults.add({ endpoint: "access_token", kind: "status" });
      sandbox.faults.add({ endpoint: "sign_ticket", kind: "reset" });

      const child = await startChild({ env: settings });
      const errors = await drive({ child, sandbox, wire, marks, provider });
      await eventually(() => webhooks.received.length > 0);
      const metrics = await (await fetch(`${child.admin}/metrics`)).text();
      // With its log of what is not yet in its tables, which a clean end removes.
      const whileItRan = readDirectory(ledger);
      child.signal("SIGHUP");
      child.signal("SIGTERM");
      expect(await child.exited).toBe(0);

      const crashing = await startChild({
        env: settings,
        sabotage: `${marks.name} ${marks.idNo} ${sandbox.secret}`,
      });
      crashing.signal("SIGUSR2");
      expect(await crashing.exited).toBe(1);
      const confused = launchChild({
        env: {
          FACEID_APP_ID: "!",
          FACEID_SECRET: `${sandbox.secret},${sandbox.secret},${sandbox.secret}`,
          FACEID_BASE_URL: `https://user:${marks.grpcToken}@host/?${sandbox.secret}`,
          STORE_URL: `redis://user:${marks.grpcToken}@:x`,
          STORE_KEYS: `k1:${marks.grpcToken}`,
          LEDGER_URL: `postgres://user:${marks.grpcToken}@:x`,
          WEBHOOK_ENDPOINTS: `crm=https://user:${marks.grpcToken}@host/`,
          WEBHOOK_SECRETS: `crm:${marks.grpcToken}`,
          GRPC_AUTH_TOKENS: marks.grpcToken,
        },
      });
      expect(await confused.exited).toBe(2);
      const misled = launchChild({ env: { ...settings, HTTPS_PROXY: `http://u:${marks.grpcToken}@[` } });
      expect(await misled.exited).toBe(2);

      const processes = [child, crashing, confused, misled];
      const sinks: Sinks = {
        log: processes.flatMap(({ out }) => out).join("\n"),
        "standard error": processes.map((one) => one.err()).join("\n"),
        metrics,
        spans: receiver.bodies.join("\n"),
        audit: readFileSync(audit, "utf8"),
        "error answers": errors.join("\n"),
        store: kind === "files" ? readDirectory(store) : redis ? await readRedis(redis) : "",
      };
      for (const [sink, content] of Object.entries(sinks)) {
        expect(content.length, `${sink} says something`).toBeGreaterThan(100);
      }
      // The marks were really there to be leaked.
      expect(wire.calls.filter(({ body }) => body["name"] === marks.name).length).toBeGreaterThan(30);
      expect(wire.calls.some(({ body }) => body["sourcePhotoStr"] === marks.photo.toString("base64"))).toBe(
        true,
      );
      expect(errors.length).toBeGreaterThan(100);
      expect(receiver.spans.length).toBeGreaterThan(100);
      const looked = canaries(sandbox, wire);
      expect(looked.length).toBeGreaterThan(100);
      expect(findLeaks(sinks, looked)).toEqual([]);

      // The user id is what ledger and events know a person by.
      const ofOrders: Sinks = {
        ledger:
          database === undefined
            ? whileItRan + readDirectory(ledger)
            : ((await postgres?.run("pg_dump", "--data-only", "--inserts", database)) ?? ""),
        webhooks: webhooks.received.join("\n"),
      };
      for (const [sink, content] of Object.entries(ofOrders)) {
        expect(content, `${sink} says something`).toContain(marks.userId);
        expect(content, `${sink} has verdicts`).toMatch(sink === "ledger" ? /"code":"0"/ : /VERDICT_PASSED/);
      }
      expect(
        findLeaks(
          ofOrders,
          looked.filter(({ what }) => what !== "the user id"),
        ),
      ).toEqual([]);
      for (const body of webhooks.bodies) expect(body.length).toBeLessThan(2_048);

      webhooks.stop();
      await wire.stop();
      await provider.stop();
      await receiver.stop();
      await sandbox.stop();
    },
  );
});

describe("a leak is found", () => {
  const canary = { what: "the ID number", value: marks.idNo };
  const leaksOf = (content: string) => findLeaks({ sink: content }, [canary]);

  test.each(Object.keys(encodingsOf("11010519491231002X")))("a leak written as %s is found", (how) => {
    const needle = encodingsOf(marks.idNo)[how] ?? "";
    expect(needle.length).toBeGreaterThan(15);
    expect(leaksOf(`{"a":"${needle}"}`).length).toBeGreaterThan(0);
    expect(leaksOf(`{"a":"${needle.slice(0, -1)}"}`).map((leak) => leak.how)).not.toContain(how);
  });

  test("a leak in the middle of something longer is found at any position", () => {
    for (let i = 0; i < 6; i++) {
      const text = Buffer.from(`${"x".repeat(i)}${marks.idNo}yyy`).toString("base64");
      expect(leaksOf(text).length, text).toBeGreaterThan(0);
    }
  });

  test("a leak in the log is found", () => {
    const lines: string[] = [];
    const logger = createLogger({
      level: "info",
      traceId: () => undefined,
      sink: { write: (line) => void lines.push(line) },
    });
    logger.info({ deep: { order: `about ${marks.idNo}` } });
    expect(leaksOf(lines.join(""))).not.toEqual([]);
  });

  test("a leak on standard error and in a process's log is found", async () => {
    const { sandbox, env } = await startUpstream();
    const child = await startChild({ env, spoken: marks.idNo });
    child.signal("SIGTERM");
    await child.exited;
    await sandbox.stop();
    expect(leaksOf(child.err())).not.toEqual([]);
    expect(leaksOf(child.out.join("\n"))).not.toEqual([]);
  });

  test("a leak in a metric's label is found", async () => {
    const metrics = createMetrics({
      appId: "a",
      build: { version: "1", role: "all", livemode: false },
      process: false,
    });
    metrics.calls.inc({ method: "GetResult", door: "form", outcome: marks.idNo });
    expect(leaksOf((await metrics.render(undefined)).text)).not.toEqual([]);
  });

  test("a leak in a span is found", async () => {
    const receiver = await startOtlpReceiver();
    vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url);
    const spans = createOtlpSpans({ sampler: "always_on", samplerRatio: 1 });
    spans.open({ name: "x", kind: "server", fields: { request_id: marks.idNo } }, undefined).end();
    await spans.stop?.();
    vi.unstubAllEnvs();
    await eventually(() => receiver.bodies.length > 0);
    await receiver.stop();
    expect(leaksOf(receiver.bodies.join())).not.toEqual([]);
  });

  test("a leak in the audit trail is found", async () => {
    const file = join(directory, "planted-audit");
    const audit = createAudit(file);
    await audit.start();
    audit.write({
      time: "",
      event: "attempt",
      request_id: "",
      caller: marks.idNo,
      peer: "",
      door: "",
      outcome: "",
      billed: false,
      livemode: false,
    });
    await audit.stop();
    expect(leaksOf(readFileSync(file, "utf8"))).not.toEqual([]);
  });

  test("a leak in a stored file's name and in its content is found", () => {
    const store = mkdtempSync(join(directory, "planted-"));
    writeFileSync(join(store, marks.idNo), "");
    expect(leaksOf(readDirectory(store))).not.toEqual([]);
    const other = mkdtempSync(join(directory, "planted-"));
    writeFileSync(join(other, "state"), Buffer.from(`{"by":"${marks.idNo}"}`));
    expect(leaksOf(readDirectory(other))).not.toEqual([]);
  });

  test.skipIf(noRedis)("a leak in a Redis key, a value and a hash field is found", async () => {
    const server = await startRedis();
    for (const command of [
      ["set", `person:${marks.idNo}`, "1"],
      ["set", "person", marks.idNo],
      ["hset", "person", "value", marks.idNo],
    ]) {
      await server.cli("flushall");
      await server.cli(...command);
      expect(leaksOf(await readRedis(server)), command.join(" ")).not.toEqual([]);
    }
  });
});
