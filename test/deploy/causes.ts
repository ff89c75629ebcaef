import { setTimeout as delay } from "node:timers/promises";
import { ConfigError } from "../../src/config/config.ts";
import { reloadOnChange } from "../../src/config/reload.ts";
import { keyRing } from "../../src/domain/seal-keys.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Secret } from "../../src/lib/redacted.ts";
import { createTurnableClock, type TurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { createService, openTelemetry } from "../../src/service.ts";
import { createAuthority } from "../support/certificates.ts";
import { eventually, type Harness, type HarnessOptions, startHarness } from "../support/harness.ts";
import { AUDIENCE, ISSUER, startProvider } from "../support/identity-provider.ts";
import { startRedis } from "../support/redis.ts";
import { type Scrape, scrape, total } from "./exposition.ts";

/** What the processes told before and after something happened to them. */
export interface Cause {
  before: readonly Scrape[];
  after: readonly Scrape[];
  /** Whether it goes on happening. */
  goesOn?: boolean;
  /** How long all was well before, minutes; default 20. */
  quietMinutes?: number;
}

/** Alerts by name with what causes them. */
export type Causes = Record<string, Cause>;

const person = { name: "张三", id_no: "11010519491231002X" };
const SILENT = { write: () => undefined };
const MINUTE = 60_000;
let users = 0;

const launch = async (harness: Harness): Promise<string> =>
  (await harness.form("/get_face_params", { ...person, user_id: `u${++users}` })).body.result?.order_no;
const result = (harness: Harness, order_no: string) => harness.form("/get_result", { order_no });
const many = <T>(count: number, work: () => Promise<T>) => Promise.all(Array.from({ length: count }, work));

async function turned(
  options: HarnessOptions,
  work: (harness: Harness, clock: TurnableClock) => Promise<Causes>,
): Promise<Causes> {
  const clock = createTurnableClock(systemClock);
  const overrides = { clock, ...options.overrides };
  await using harness = await startHarness({ ...options, sandbox: { sharedClock: clock }, overrides });
  return await work(harness, clock);
}

/** Scrapes until it is so. */
async function until(url: string, so: (now: Scrape) => boolean, instance?: string): Promise<Scrape> {
  let now = await scrape(url, instance);
  await eventually(async () => {
    now = await scrape(url, instance);
    return so(now);
  });
  return now;
}

/** Every token call fails, and time goes by. */
export const tokenEndpointDown = () =>
  turned({}, async (harness, clock) => {
    const { admin, sandbox } = harness;
    const before = [await scrape(admin)];
    sandbox.faults.add({ endpoint: "access_token", kind: "status", times: null });
    const failed = (now: Scrape) => total(now, "faceid_ticket_refresh_total", 'outcome="unknown"');
    const after = async (minutes: number) => {
      clock.advance(minutes * MINUTE - clock.monotonic() + startedAt);
      return { before, after: [await scrape(admin)] };
    };
    const startedAt = clock.monotonic();
    const aging = await after(26);
    await until(admin, (now) => total(now, "faceid_ticket_dirty_seconds") > 0);
    clock.advance(40_000);
    const doubt = { before, after: [await scrape(admin)] };
    await eventually(async () => {
      clock.advance(5_000);
      return failed(await scrape(admin)) >= 4;
    });
    const failing = { before, after: [await scrape(admin)] };
    const [late, old, near, dead] = [await after(31), await after(46), await after(52), await after(62)];
    const working = await scrape(admin);
    await launch(harness);
    const broken = { before: [working], after: [await scrape(admin)], goesOn: true };
    return {
      FaceidSignTicketAging: aging,
      FaceidRotationInDoubt: doubt,
      FaceidRefreshFailing: failing,
      FaceidNobodyRefreshes: late,
      FaceidSignTicketOld: old,
      FaceidHardLimitNear: near,
      FaceidPairUnusable: dead,
      // Healthy before: what is not counted yet when the pair has ended.
      FaceidBroken: { ...broken, before },
    };
  });

/** Redis is stopped, and comes back with nothing in it; and before that a process with other keys looks into it. */
export async function storeTrouble(): Promise<Causes> {
  const redis = await startRedis();
  try {
    await using harness = await startHarness({ env: { STORE_URL: redis.url, TOKEN_OVERLAP: "6s" } });
    const { admin } = harness;
    const before = [await scrape(admin)];
    const other = createService(
      { ...harness.config, sealKeys: keyRing(new Secret(`other:${"A".repeat(43)}=`), []) },
      { logSink: SILENT },
    );
    await other.start();
    const url = `http://${other.addresses().admin}`;
    const isUnreadable = (now: Scrape) => total(now, "faceid_ticket_record_unreadable_total") > 0;
    const unreadable = await until(url, isUnreadable, "b:9090");
    await other.stop();

    await redis.kill();
    await harness.form("/get_face_params", { ...person, request_id: "r1", user_id: "once" });
    const down = await until(admin, (now) => total(now, "faceid_ticket_store_up") === 0);
    await redis.restart();
    const healed = await until(admin, (now) => total(now, "faceid_ticket_heal_total") > 0);
    return {
      FaceidRecordUnreadable: { before, after: [...before, unreadable] },
      FaceidStoreDown: { before, after: [down] },
      FaceidStoreDownLong: { before, after: [down] },
      FaceidLaunchStoreFailing: { before, after: [down] },
      FaceidStoreLostData: { before, after: [healed] },
    };
  } finally {
    await redis.kill();
  }
}

/** Two processes, and each has a store of its own. */
export async function storesOfTheirOwn(): Promise<Causes> {
  await using harness = await startHarness();
  const before = [await scrape(harness.admin)];
  const second = createService(harness.config, { logSink: SILENT });
  await second.start();
  await eventually(() => second.readiness().ready);
  const after = [await scrape(harness.admin), await scrape(`http://${second.addresses().admin}`, "b:9090")];
  await second.stop();
  return { FaceidGenerationMismatch: { before, after } };
}

/** Somebody asks for a new pair again and again. */
export const storm = () =>
  turned({}, async ({ admin }, clock) => {
    const before = [await scrape(admin)];
    for (let i = 0; i < 8; i++) {
      clock.advance(20_000);
      const response = await fetch(`${admin}/faceverification.v1.TicketAdminService/ForceRefresh`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      if (!response.ok) throw new Error(`ForceRefresh answered ${response.status}`);
    }
    return { FaceidTokenStorm: { before, after: [await scrape(admin)] } };
  });

/** Somebody else fetches a token for the same app id. */
export const foreignRotator = () =>
  turned({}, async (harness, clock) => {
    const before = [await scrape(harness.admin)];
    harness.sandbox.rotate();
    clock.advance(61_000);
    await launch(harness);
    const after = [
      await until(harness.admin, (now) => total(now, "faceid_ticket_foreign_rotation_total") > 0),
    ];
    return {
      FaceidForeignRotation: { before, after },
      FaceidPairRejected: { before, after, goesOn: true },
    };
  });

/** The vendor's query fails until it is left alone. */
export async function vendorDown(): Promise<Causes> {
  await using harness = await startHarness();
  const { admin, sandbox } = harness;
  const orderNo = await launch(harness);
  const before = [await scrape(admin)];
  sandbox.faults.add({ endpoint: "query", kind: "status", times: null });
  await many(80, () => result(harness, orderNo));
  const after = [await scrape(admin)];
  return { FaceidVendorDown: { before, after }, FaceidErrorRateHigh: { before, after, goesOn: true } };
}

/** Every answer of the vendor takes three seconds. */
export const vendorSlow = () =>
  turned({}, async (harness, clock) => {
    const orderNo = await launch(harness);
    const before = [await scrape(harness.admin)];
    harness.sandbox.latencyMs = 3_000;
    let done = false;
    const calls = many(5, () => result(harness, orderNo)).finally(() => {
      done = true;
    });
    while (!done) {
      await delay(20);
      clock.advance(100);
    }
    await calls;
    return { FaceidVendorSlow: { before, after: [await scrape(harness.admin)], goesOn: true } };
  });

/** A code that nobody knows, and NONCE tickets that are not given. */
export async function vendorCodes(): Promise<Causes> {
  await using harness = await startHarness();
  const { admin, sandbox } = harness;
  const orderNo = await launch(harness);
  const before = [await scrape(admin)];
  sandbox.faults.add({ endpoint: "query", kind: "code", code: "123456" });
  await result(harness, orderNo);
  const unknown = await scrape(admin);
  sandbox.faults.add({ endpoint: "nonce_ticket", kind: "code", code: "400504", times: 2 });
  for (let i = 0; i < 3; i++) await launch(harness);
  return {
    FaceidUnknownVendorCode: { before, after: [unknown] },
    FaceidNonceFailing: { before, after: [await scrape(admin)], goesOn: true },
  };
}

/** One result is read in a loop, and every answer counts as billed. */
export async function billed(): Promise<Causes> {
  await using harness = await startHarness();
  const { body } = await harness.form("/get_face_params", person);
  await harness.playSdk(body, "passed");
  await result(harness, body.result.order_no);
  const before = [await scrape(harness.admin)];
  for (let i = 0; i < 60; i++) await result(harness, body.result.order_no);
  return { FaceidBilledJump: { before, after: [await scrape(harness.admin)], quietMinutes: 90 } };
}

/** More calls at once than are let in. */
export const overload = () =>
  turned({ env: { LIMIT_IN_FLIGHT: "1" } }, async (harness, clock) => {
    const orderNo = await launch(harness);
    const before = [await scrape(harness.admin)];
    harness.sandbox.latencyMs = 1_000;
    const first = result(harness, orderNo);
    await eventually(async () => (await result(harness, orderNo)).status === 503);
    clock.advance(1_000);
    await first;
    return { FaceidOverloaded: { before, after: [await scrape(harness.admin)], goesOn: true } };
  });

/** The disk of the audit trail is full. */
export async function auditFull(): Promise<Causes> {
  await using harness = await startHarness({ env: { AUDIT_LOG: "/dev/full" } });
  const before = [await scrape(harness.admin)];
  await launch(harness);
  return { FaceidAuditFailing: { before, after: [await scrape(harness.admin)] } };
}

/** A file changes into one that cannot be used, as `main.ts` watches it. */
export async function badFile(): Promise<Causes> {
  const clock = createTurnableClock(systemClock);
  await using plain = await startHarness();
  const telemetry = openTelemetry(plain.config, { logSink: SILENT });
  const service = createService(plain.config, { telemetry });
  await service.start();
  const admin = `http://${service.addresses().admin}`;
  const before = [await scrape(admin)];
  let content = "good";
  const ending = new AbortController();
  const watching = reloadOnChange({
    started: plain.config,
    read(readFile) {
      if (readFile("tokens") !== "good") throw new ConfigError(["HTTP_AUTH_TOKENS: not one"]);
      return plain.config;
    },
    readFile: () => content,
    apply: () => undefined,
    clock,
    signal: ending.signal,
    events: telemetry.events,
  });
  content = "bad";
  const after = await until(admin, (now) => {
    clock.advance(5_000);
    return total(now, "faceid_config_rejected_total") > 0;
  });
  ending.abort();
  await watching;
  await service.stop();
  return { FaceidConfigRejected: { before, after: [after] } };
}

/** This machine's clock is ten minutes ahead of the vendor's. */
export async function clockAhead(): Promise<Causes> {
  await using right = await startHarness();
  const before = [await scrape(right.admin)];
  const clock = createTurnableClock(systemClock);
  clock.advance(10 * MINUTE);
  await using harness = await startHarness({ overrides: { clock } });
  return { FaceidClockSkew: { before, after: [await scrape(harness.admin)] } };
}

/** A certificate of two days, and a day and a half later. */
export async function certificateEnds(): Promise<Causes> {
  using authority = createAuthority();
  const { cert, key } = authority.issue("server");
  const files: Record<string, string> = { cert, key };
  await using plain = await startHarness();
  const before = [await scrape(plain.admin)];
  return turned(
    { env: { TLS_CERT_FILE: "cert", TLS_KEY_FILE: "key" }, readFile: (path) => files[path] ?? "" },
    async ({ admin }, clock) => {
      const soon = [await scrape(admin)];
      clock.advance(36 * 60 * MINUTE);
      return {
        FaceidCertificateExpiring: { before, after: soon },
        FaceidCertificateExpiresToday: { before, after: [await scrape(admin)] },
      };
    },
  );
}

/** The identity provider answers with an error. */
export async function identityProviderDown(): Promise<Causes> {
  const provider = await startProvider();
  provider.fail();
  const keys = { JWT_JWKS_URL: provider.url, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE };
  // Before: while nothing has asked for the keys.
  await using plain = await startHarness();
  const before = [await scrape(plain.admin)];
  await using harness = await startHarness({ env: keys });
  const authorization = `Bearer ${await provider.sign({ sub: "user-1" })}`;
  await harness.form("/get_face_params", person, { authorization });
  const after = [await scrape(harness.admin)];
  await provider.stop();
  return { FaceidJwksFailing: { before, after } };
}

/** The only process ends. */
export async function gone(): Promise<Causes> {
  const harness = await startHarness();
  const before = [await scrape(harness.admin)];
  await harness.stop();
  const left = await scrape(harness.admin).then(
    (now) => [now],
    () => [],
  );
  return { FaceidNotScraped: { before, after: left } };
}
