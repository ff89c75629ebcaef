import { execFile } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Check } from "../../src/doctor/check.ts";
import { checkDirectories } from "../../src/doctor/directory.ts";
import { runDoctor } from "../../src/doctor/main.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { prepareDirectory } from "../../src/tickets/stores/file-directory.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { type Harness, startHarness, unusedPort } from "../support/harness.ts";
import { missingPostgres, startPostgres, stopPostgres } from "../support/postgres.ts";
import { missingRedis, startRedis, stopRedis } from "../support/redis.ts";
import { committed } from "./committed.ts";

let directory: string;
let harness: Harness;
/** The environment of the running service. */
let env: Record<string, string>;

const hostOf = (url: string) => new URL(url).host;

/** A stopwatch of another speed, so that findings on the store do not depend on this machine's disk load. */
const stopwatch = (speed: number): Clock => ({
  ...systemClock,
  monotonic: () => systemClock.monotonic() * speed,
});
const patient = stopwatch(0.001);

async function examined(
  args: readonly string[] = [],
  more: Record<string, string> = {},
  clock: Clock = systemClock,
) {
  const { text, exitCode } = await runDoctor(["--json", ...args], { ...env, ...more }, clock);
  const { checks } = JSON.parse(text) as { checks: Check[] };
  return { checks, exitCode, text, found: (check: string) => checks.filter((each) => each.check === check) };
}

async function startService(sandbox = {}, more: Record<string, string> = {}): Promise<void> {
  const settings = { STORE_URL: `file:${directory}/store`, ...more };
  harness = await startHarness({ sandbox, env: settings });
  await committed(harness);
  env = {
    FACEID_APP_ID: harness.sandbox.appId,
    FACEID_SECRET: harness.sandbox.secret,
    FACEID_BASE_URL: harness.wire.url,
    HTTP_ADDR: hostOf(harness.http),
    GRPC_ADDR: hostOf(harness.grpc),
    ADMIN_ADDR: hostOf(harness.admin),
    ...settings,
  };
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "doctor-"));
});
afterEach(async () => {
  await harness?.stop();
  rmSync(directory, { recursive: true, force: true });
});
afterAll(async () => {
  await stopRedis();
  await stopPostgres();
});

describe("the doctor beside a running service", () => {
  test("a healthy service passes every check without a token call", async () => {
    await startService();
    const { sandbox } = harness;
    const { checks, exitCode, text } = await examined(["--edition"], {}, patient);
    expect(checks.filter(({ status }) => status === "warn" || status === "fail")).toEqual([]);
    expect(exitCode).toBe(0);
    expect(checks.filter(({ status }) => status === "ok").map(({ check }) => check)).toEqual([
      "configuration",
      "vendor host",
      "clock",
      "store directory",
      "store",
      "stored pair",
      "secret",
      "token and app id",
      "signature",
      "edition",
      "HTTP_ADDR",
      "GRPC_ADDR",
      "ADMIN_ADDR",
    ]);
    expect(sandbox.stats.calls.access_token).toBe(1);
    expect(sandbox.breaches).toEqual([]);
    // Nothing is left behind, and no token or ticket is printed.
    expect(readdirSync(join(directory, "store"))).toHaveLength(1);
    const values = [sandbox.secret, ...sandbox.issuedValues()];
    expect(values.filter((value) => text.includes(value))).toEqual([]);
  });

  test("--allow-token-call makes no token call while the stored token works", async () => {
    await startService();
    const { exitCode } = await examined(["--allow-token-call"], {}, patient);
    expect([exitCode, harness.sandbox.stats.calls.access_token]).toEqual([0, 1]);
  });

  test("a test app id on a live host is a warning", async () => {
    await startService();
    const { checks } = await examined([], { FACEID_LIVE_HOSTS: "127.0.0.1" }, patient);
    expect(checks.filter(({ status }) => status === "warn").map(({ check }) => check)).toEqual(["app id"]);
  });

  test("the table reports the same checks to a person", async () => {
    await startService();
    const { text } = await runDoctor([], env, patient);
    expect(text).toMatch(/^ok {4}configuration {5}read: edition enhanced, role all$/m);
    expect(text).toMatch(/0 to repair, 0 to look at, 12 well\.$/);
  });

  test.skipIf(missingRedis("redis-server"))("Redis' version and settings are reported", async () => {
    const redis = await startRedis("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru");
    await startService({}, { STORE_URL: redis.url });
    const { found, exitCode } = await examined();
    expect(found("store")[0]?.detail).toMatch(/^read, written and compared/);
    expect(found("Redis")).toEqual([
      { check: "Redis", status: "ok", detail: expect.stringMatching(/^version \d/) },
      { check: "Redis", status: "ok", detail: "is the primary" },
      {
        check: "Redis",
        status: "warn",
        detail: expect.stringContaining("allkeys-lru"),
        cure: "set maxmemory-policy noeviction",
      },
    ]);
    expect([exitCode, harness.sandbox.stats.calls.access_token]).toEqual([1, 1]);
    expect(await redis.cli("KEYS", "*doctor*")).toBe("");
  });

  test.skipIf(missingPostgres())(
    "a store and a ledger in PostgreSQL are tried out, and left as they were",
    async () => {
      const server = await startPostgres();
      const url = await server.createDatabase();
      await startService({}, { STORE_URL: url, LEDGER_URL: url });
      const { found } = await examined([], {}, patient);
      expect(found("store")).toEqual([
        { check: "store", status: "ok", detail: expect.stringMatching(/^read, written and compared/) },
      ]);
      expect(found("ledger")).toMatchObject([
        { status: "ok", detail: expect.stringMatching(/^PostgreSQL \d/) },
      ]);
      expect(await server.sql(url, "SELECT count(*) FROM faceid_tickets")).toBe("1");
      await server.kill();
      const away = await examined([], {}, patient);
      expect(away.found("store")).toMatchObject([
        {
          status: "fail",
          detail: "it does not answer (ECONNREFUSED)",
          cure: expect.stringContaining("nothing listens"),
        },
      ]);
      expect(away.found("ledger")).toMatchObject([{ status: "fail" }]);
    },
  );
});

describe("faults found by the doctor", () => {
  test("all invalid variables are reported at once", async () => {
    await startService();
    const { checks, exitCode } = await examined([], { FACEID_EDITION: "gold", SHUTDOWN_GRACE: "soon" });
    expect(exitCode).toBe(2);
    expect(checks.map(({ detail }) => detail.split(":")[0])).toEqual(["FACEID_EDITION", "SHUTDOWN_GRACE"]);
  });

  test("unused variables, quotation marks and the link of a Kubernetes Service are warnings", async () => {
    await startService();
    const stray = {
      FACEID_EDITON: "plus",
      FACEID_LICENCE: '"quoted"',
      SANDBOX_PORT: "tcp://10.0.0.1:8090",
    };
    const { found } = await examined([], stray, patient);
    const warned = found("environment");
    expect(warned.map(({ status }) => status)).toEqual(["warn", "warn", "warn"]);
    const named = new Set(warned.map(({ detail }) => detail.split(":")[0]));
    expect(named).toEqual(new Set(Object.keys(stray)));
    // Also if the configuration is invalid, since they may be the cause.
    const { checks } = await examined([], { FACEID_SECRET: "", FACEID_SECERT: "s" });
    expect(checks.map(({ check, status }) => [check, status])).toEqual([
      ["configuration", "fail"],
      ["environment", "warn"],
    ]);
  });

  test("a secret other than the running service's is reported", async () => {
    await startService();
    const { found, exitCode } = await examined([], { FACEID_SECRET: "x".repeat(64) });
    expect(found("stored pair")).toMatchObject([
      { status: "fail", cure: expect.stringContaining("FACEID_SECRET here") },
    ]);
    expect([exitCode, harness.sandbox.stats.calls.access_token]).toEqual([2, 1]);
  });

  test("a secret other than the running service's is reported even if STORE_KEYS seal the pair", async () => {
    const STORE_KEYS = `k:${"A".repeat(43)}=`;
    await startService({}, { STORE_KEYS });
    const { found } = await examined([], { FACEID_SECRET: "x".repeat(64) });
    expect(found("secret")).toMatchObject([
      { status: "fail", cure: expect.stringContaining("check FACEID_SECRET") },
    ]);
  });

  test("a secret that the vendor refuses is reported", async () => {
    await startService();
    const empty = { STORE_URL: `file:${directory}/other`, FACEID_SECRET: "x".repeat(64) };
    const { found, exitCode } = await examined(["--allow-token-call"], empty);
    expect(found("token call")).toMatchObject([
      { status: "fail", cure: expect.stringContaining("check FACEID_SECRET") },
    ]);
    expect(exitCode).toBe(2);
  });

  test("a FACEID_TOKEN_PARAM that the vendor refuses is reported with the accepted spelling", async () => {
    await startService({ tokenParam: "appId" }, { FACEID_TOKEN_PARAM: "appId" });
    const { found } = await examined([], { FACEID_TOKEN_PARAM: "app_id" });
    expect(found("token and app id")).toMatchObject([
      { status: "fail", cure: "set FACEID_TOKEN_PARAM=appId" },
    ]);
    expect(found("signature")[0]?.status).toBe("ok");
  });

  test("an edition that is not contracted is reported", async () => {
    await startService({ editions: ["basic"] });
    expect((await examined()).found("edition")[0]?.status).toBe("skip");
    const { found } = await examined(["--edition"]);
    expect(found("edition")).toMatchObject([
      { status: "fail", cure: expect.stringContaining("set FACEID_EDITION") },
    ]);
    expect((await examined(["--edition"], { FACEID_EDITION: "basic" })).found("edition")[0]?.status).toBe(
      "ok",
    );
  });

  test("a token killed by a foreign rotation or a changed secret is reported", async () => {
    await startService();
    harness.sandbox.revoke();
    const { found } = await examined();
    for (const check of ["token and app id", "signature"]) {
      expect(found(check)).toMatchObject([
        { status: "fail", cure: expect.stringContaining("foreign rotator") },
      ]);
    }
  });

  test.each([
    [60_000, "warn"],
    [600_000, "fail"],
  ])("a clock that is %d ms ahead is reported", async (ms, status) => {
    await startService();
    const clock = createTurnableClock(systemClock);
    clock.advance(ms);
    const { found } = await examined([], {}, clock);
    expect(found("clock")).toMatchObject([{ status, cure: expect.stringContaining("NTP") }]);
  });

  test("a slow store is a warning", async () => {
    await startService();
    const { found } = await examined([], {}, stopwatch(1e6));
    expect(found("store")).toMatchObject([{ status: "warn", detail: expect.stringMatching(/\d ms each$/) }]);
  });

  test("an unreachable vendor is reported", async () => {
    await startService();
    const { found } = await examined([], { FACEID_BASE_URL: `http://127.0.0.1:${await unusedPort()}` });
    expect(found("vendor host")).toMatchObject([
      { status: "fail", cure: expect.stringContaining("FACEID_BASE_URL") },
    ]);
  });

  test("an unreachable Redis is reported", async () => {
    await startService();
    const { found, exitCode } = await examined([], { STORE_URL: `redis://127.0.0.1:${await unusedPort()}` });
    expect(found("store")).toMatchObject([
      {
        status: "fail",
        detail: expect.stringContaining("ECONNREFUSED"),
        cure: expect.stringContaining("nothing listens there"),
      },
    ]);
    expect(found("stored pair")[0]?.status).toBe("fail");
    expect(exitCode).toBe(2);
  });

  test("a store directory that cannot be created, is writable by others, or does not exist yet is reported", async () => {
    await startService();
    writeFileSync(join(directory, "file"), "");
    const under = await examined([], { STORE_URL: `file:${directory}/file/store` });
    expect(under.found("store directory")).toMatchObject([
      { status: "fail", cure: expect.stringContaining("chown") },
    ]);
    mkdirSync(join(directory, "open"));
    chmodSync(join(directory, "open"), 0o777);
    const open = await examined([], { STORE_URL: `file:${directory}/open` });
    expect(open.found("store directory")).toMatchObject([
      { status: "warn", cure: expect.stringContaining("chmod 700") },
    ]);
    const absent = await examined([], { STORE_URL: `file:${directory}/absent` });
    expect(absent.found("store directory")[0]).toMatchObject({
      status: "warn",
      detail: expect.stringContaining("not there yet"),
    });
    expect(absent.found("stored pair")[0]?.status).toBe("warn");
    expect(existsSync(join(directory, "absent"))).toBe(false);
  });

  test("a store directory writable by one of our groups is accepted, as with fsGroup or in OpenShift", async () => {
    await startService();
    const volume = join(directory, "volume");
    mkdirSync(volume);
    chmodSync(volume, 0o2770);
    const { found } = await examined([], { STORE_URL: `file:${volume}` });
    expect(found("store directory")).toMatchObject([{ status: "ok" }]);
  });

  // Only root can choose the owner.
  test.skipIf(process.getuid?.() !== 0)(
    "a store directory writable by another group and a register owned by another user are reported",
    async () => {
      const volume = join(directory, "volume");
      const register = join(volume, "register");
      mkdirSync(register, { recursive: true });
      chownSync(volume, 0, 54_321);
      chmodSync(volume, 0o770);
      const other = await checkDirectories({ store: volume, register });
      expect(other).toMatchObject({ status: "warn", detail: expect.stringContaining("others may write") });

      chmodSync(volume, 0o777);
      chmodSync(directory, 0o755);
      chownSync(register, 1000, 1000);
      const as = <T>(uid: number, work: () => Promise<T>) => {
        process.seteuid?.(uid);
        return work().finally(() => process.seteuid?.(0));
      };
      const left = await as(65_532, () => checkDirectories({ store: volume, register }));
      expect(left).toMatchObject({
        status: "fail",
        detail: `${register} was left by the user 1000, and this is 65532: the service will not use it`,
        cure: expect.stringContaining(`chown -R 65532 ${register}`),
      });
      await expect(as(65_532, () => prepareDirectory(register))).rejects.toThrow(
        "it belongs to the user 1000, and this is 65532 (chown it, run as that user, or remove it",
      );
      expect(await as(1000, () => checkDirectories({ store: volume, register }))).toMatchObject({
        status: "warn",
      });
    },
  );

  test("a store in memory is a warning", async () => {
    await startService();
    const { found } = await examined(["--allow-token-call"], { STORE_URL: "memory:" });
    expect(found("store")[0]?.status).toBe("warn");
    expect(harness.sandbox.stats.calls.access_token).toBe(1);
  });

  test("an address used by another program and an address of another machine are reported", async () => {
    await startService();
    const taken = { HTTP_ADDR: hostOf(harness.sandbox.url), ADMIN_ADDR: `127.0.0.1:${await unusedPort()}` };
    const more = { GRPC_ADDR: "192.0.2.1:50051", GRPC_AUTH_TOKENS: "a:0123456789abcdef" };
    const { found } = await examined([], { ...taken, ...more });
    expect(found("HTTP_ADDR")[0]).toMatchObject({
      status: "fail",
      cure: expect.stringContaining("choose another HTTP_ADDR"),
    });
    expect(found("GRPC_ADDR")[0]).toMatchObject({
      status: "fail",
      cure: "set GRPC_ADDR to an address of this machine",
    });
    expect(found("ADMIN_ADDR")[0]?.status).toBe("ok");
  });

  test("an identity provider that publishes no keys is reported", async () => {
    await startService();
    const jwt = { JWT_JWKS_URL: `${harness.sandbox.url}/keys`, JWT_ISSUER: "i", JWT_AUDIENCE: "a" };
    const { found } = await examined([], jwt);
    expect(found("JWT keys")).toMatchObject([{ status: "fail", detail: expect.stringContaining("404") }]);
  });
});

describe("certificates checked by the doctor", () => {
  let authority: Authority;
  beforeAll(() => {
    authority = createAuthority();
  });
  afterAll(() => authority?.[Symbol.dispose]());

  const files = (cert: string, key: string) => {
    const paths = { TLS_CERT_FILE: join(directory, "cert.pem"), TLS_KEY_FILE: join(directory, "key.pem") };
    writeFileSync(paths.TLS_CERT_FILE, cert);
    writeFileSync(paths.TLS_KEY_FILE, key);
    return paths;
  };

  test("a certificate that expires soon, has expired, or has the wrong key is reported", async () => {
    await startService();
    const [one, other] = [authority.issue("a", "DNS:a.test"), authority.issue("b")];
    const soon = await examined([], files(one.cert + authority.ca, one.key));
    expect(soon.found("TLS files").map(({ status }) => status)).toEqual(["ok", "ok", "ok"]);
    expect(soon.found("TLS certificate")).toMatchObject([
      { status: "warn", cure: expect.stringContaining("renew it") },
    ]);
    const clock = createTurnableClock(systemClock);
    clock.advance(3 * 86_400_000);
    const ended = await examined([], files(one.cert, one.key), clock);
    expect(ended.found("TLS certificate")).toMatchObject([
      { status: "fail", detail: expect.stringContaining("expired") },
    ]);
    const mixed = await examined([], files(one.cert + other.cert, other.key));
    expect(mixed.found("configuration").map(({ detail }) => detail)).toEqual([
      "TLS_KEY_FILE: is not the key of the first certificate in TLS_CERT_FILE",
    ]);
    const disordered = await examined([], files(one.cert + other.cert, one.key));
    expect(disordered.found("TLS files").map(({ status }) => status)).toEqual(["ok", "fail", "ok"]);
  });

  test("a vendor host with an untrusted certificate is reported", async () => {
    await startService();
    const { cert, key } = authority.issue("vendor");
    const server = createServer({ cert, key }, (_request, response) => void response.end("{}"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { found } = await examined([], { FACEID_BASE_URL: `https://127.0.0.1:${port}` });
    expect(found("vendor host")).toMatchObject([
      { status: "fail", cure: expect.stringContaining("NODE_EXTRA_CA_CERTS") },
    ]);
    await new Promise((resolve) => server.close(resolve));
  });
});

test("--allow-token-call fetches one pair into an empty store, under the lease, and leaves it for the service", async () => {
  await startService();
  const STORE_URL = `file:${directory}/first`;
  const before = harness.sandbox.stats.calls.access_token;
  const { found } = await examined(["--allow-token-call"], { STORE_URL });
  expect(found("token call")[0]?.status).toBe("ok");
  expect(found("signature")[0]?.status).toBe("ok");
  expect(harness.sandbox.stats.calls.access_token).toBe(before + 1);
  const again = await examined(["--allow-token-call"], { STORE_URL });
  expect(again.found("token call")).toEqual([]);
  expect(harness.sandbox.stats.calls.access_token).toBe(before + 1);
});

test("the doctor's process prints a table and sets its exit code", async () => {
  await startService();
  const run = (more: Record<string, string>) =>
    promisify(execFile)(process.execPath, ["src/doctor/main.ts"], {
      cwd: join(import.meta.dirname, "../.."),
      env: { ...env, ...more },
    }).then(
      ({ stdout }) => ({ stdout, code: 0 }),
      ({ stdout, code }: { stdout: string; code: number }) => ({ stdout, code }),
    );
  // If this machine's disk is slow at the moment, the store check warns.
  const { stdout, code } = await run({});
  expect(stdout).toMatch(/0 to repair, (0 to look at, 12|1 to look at, 11) well\./);
  expect(code).toBe(stdout.includes("0 to look at") ? 0 : 1);
  expect(await run({ FACEID_SECRET: "" })).toEqual({
    code: 2,
    stdout: expect.stringContaining("FACEID_SECRET"),
  });
  expect(harness.sandbox.stats.calls.access_token).toBe(1);
});
