import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type PostgresLocation, parsePostgresUrl } from "../../src/config/postgres-url.ts";
import { createPostgres } from "../../src/database/postgres.ts";
import { OperatorError, StoreError } from "../../src/errors.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { type OpenLedgerOptions, openLedger } from "../../src/ledger/open-ledger.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Secret } from "../../src/lib/redacted.ts";
import { missingPostgres, type PostgresServer, startPostgres, stopPostgres } from "../support/postgres.ts";
import { newOrder, passed, T0 } from "./orders.ts";

const register = "app@host";
const eventually = { timeout: 30_000 };

describe.skipIf(missingPostgres())("PostgreSQL in trouble", () => {
  let server: PostgresServer;
  let url: string;
  const opened: Ledger[] = [];

  beforeAll(async () => {
    // Its durability is the subject.
    server = await startPostgres({ durable: true });
  });
  beforeEach(async () => {
    url = await server.createDatabase();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((ledger) => ledger.close()));
  });
  afterAll(stopPostgres);

  const at = (text: string) => parsePostgresUrl(text) as PostgresLocation;
  async function open(text = url, more: Partial<OpenLedgerOptions> = {}): Promise<Ledger> {
    const ledger = openLedger(at(text), { register, clock: systemClock, ...more });
    opened.push(ledger);
    await ledger.open();
    return ledger;
  }
  const works = (ledger: Ledger) =>
    ledger.put([newOrder("works")]).then(
      () => true,
      () => false,
    );
  /** How it ended, and after how many milliseconds. */
  async function timed(work: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
    const startedAt = performance.now();
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return { error, ms: performance.now() - startedAt };
  }

  test("a server that is killed loses nothing that was written, and is connected to again", async () => {
    const ledgers = [await open(), await open()];
    const written: string[] = [];
    let writing = true;
    const writers = ledgers.map(async (ledger, w) => {
      for (let i = 0; writing; i++) {
        try {
          await ledger.put([newOrder(`${w}x${i}`)]);
          await ledger.end(`${w}x${i}`, passed(), { endpoints: ["hook"] });
          written.push(`${w}x${i}`);
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    });
    for (let round = 0; round < 2; round++) {
      const before = written.length;
      await expect.poll(() => written.length, eventually).toBeGreaterThan(before + 50);
      await server.kill();
      await server.restart();
    }
    const before = written.length;
    await expect.poll(() => written.length, eventually).toBeGreaterThan(before + 50);
    writing = false;
    await Promise.all(writers);
    const [ledger] = ledgers as [Ledger, Ledger];
    for (const orderNo of written) expect((await ledger.find(orderNo))?.end, orderNo).toBeDefined();
    const { last } = await ledger.position();
    const sequences = (await ledger.endedAfter(0, last)).map(({ end }) => end?.sequence);
    expect(sequences).toEqual(Array.from({ length: last }, (_, i) => i + 1));
  });

  test("a server that hangs is given up within about a second, then at once, and used again when it goes on", async () => {
    const ledger = await open();
    await ledger.put([newOrder("a")]);
    server.signal("SIGSTOP");
    try {
      const first = await timed(ledger.find("a"));
      expect(first.error).toMatchObject({ name: "StoreError", code: "TIMEOUT" });
      expect(first.ms).toBeLessThan(3_000);
      const next = await timed(ledger.find("a"));
      expect(next.error).toBeInstanceOf(StoreError);
      expect(next.ms).toBeLessThan(100);
      const many = await Promise.all(Array.from({ length: 50 }, () => timed(ledger.find("a"))));
      for (const { error, ms } of many) {
        expect(error).toBeInstanceOf(StoreError);
        expect(ms).toBeLessThan(4_000);
      }
    } finally {
      server.signal("SIGCONT");
    }
    await expect.poll(() => works(ledger), eventually).toBe(true);
    expect(await ledger.find("a")).toBeDefined();
  });

  test("hints come again once the server is back", async () => {
    const [ledger, other] = [await open(), await open()];
    let hints = 0;
    ledger.watch(() => (hints += 1));
    const endOthersUntilHinted = async (name: string) => {
      hints = 0;
      for (let i = 0; hints < 3; i++) {
        await other.put([newOrder(`${name}${i}`)]);
        await other.end(`${name}${i}`, passed(), { endpoints: [] });
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await endOthersUntilHinted("before");
    await server.kill();
    await server.restart();
    await expect.poll(() => works(other), eventually).toBe(true);
    await endOthersUntilHinted("after");
  });

  test("a server that is away at the start stops no start, and is used once it is there", async () => {
    const asked: unknown[] = [];
    await server.kill();
    try {
      const startedAt = performance.now();
      const ledger = await open(url, { events: { ledgerAsked: (event) => asked.push(event) } });
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      await expect(ledger.find("a")).rejects.toMatchObject({ name: "StoreError", code: "ECONNREFUSED" });
      expect(asked).toMatchObject([
        { op: "open", ok: false, error: { code: "ECONNREFUSED" } },
        { op: "find", ok: false },
      ]);
      await server.restart();
      await expect.poll(() => works(ledger), eventually).toBe(true);
    } finally {
      await server.restart();
    }
  });

  test("a process that freezes in the middle of an end holds nobody up for long", async () => {
    const ledger = await open();
    await ledger.put([newOrder("a"), newOrder("b")]);
    const frozen = createPostgres({ location: at(url), clock: systemClock });
    await frozen.start();
    const thawed = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const stuck = frozen.transaction(async ({ run }) => {
      await run("UPDATE faceid_registers SET last_sequence = last_sequence + 1");
      locked.resolve();
      await thawed.promise;
      await run("UPDATE faceid_registers SET last_sequence = last_sequence + 1");
    });
    const failed = expect(stuck).rejects.toThrow(StoreError);
    await locked.promise;
    await expect(ledger.end("a", passed(), { endpoints: [] })).rejects.toMatchObject({ name: "StoreError" });
    await expect
      .poll(() => ledger.end("a", passed(), { endpoints: [] }).catch(() => undefined), eventually)
      .toMatchObject({ end: { sequence: 1 } });
    thawed.resolve();
    await failed;
    await frozen.stop();
  });

  test("the primary among several hosts is found, also after a failover", async () => {
    const primary = await startPostgres({ durable: true });
    const standby = await startPostgres({ durable: true, primary });
    const both = `postgres://postgres@127.0.0.1:${standby.port},127.0.0.1:${primary.port}/postgres`;
    const ledger = await open(both);
    await expect.poll(() => works(ledger), eventually).toBe(true);
    await ledger.put([newOrder("a")]);
    const replica = `postgres://postgres@127.0.0.1:${standby.port}/postgres`;
    await expect
      .poll(() => standby.sql(replica, "SELECT count(*) FROM faceid_orders").catch(() => ""), eventually)
      .toBe("2");
    await expect((await open(replica)).find("a")).rejects.toMatchObject({ code: "NOT_PRIMARY" });
    await primary.kill();
    await standby.sql(replica, "SELECT pg_promote()");
    await expect.poll(() => works(ledger), eventually).toBe(true);
    expect(await ledger.find("a")).toMatchObject({ orderNo: "a", createdAt: T0 });
    await standby.kill();
  });

  test("a password is read again for each connection", async () => {
    await server.sql(url, "CREATE USER app PASSWORD 'one'; GRANT ALL ON SCHEMA public TO app");
    let password = "wrong";
    const login = () => ({ user: "app", password: new Secret(password) });
    const ledger = await open(url.replace("postgres@", "app:wrong@"), { login });
    await expect(ledger.find("a")).rejects.toMatchObject({ code: "WRONG_PASSWORD" });
    password = "one";
    await expect.poll(() => works(ledger), eventually).toBe(true);
    await server.sql(url, "ALTER USER app PASSWORD 'two'");
    password = "two";
    await server.sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
    await expect.poll(() => works(ledger), eventually).toBe(true);
    await server.sql(url, "DROP OWNED BY app; DROP USER app");
  });

  test.each([
    ["a database that is not there", /\/\w+$/, "/nowhere", "NO_DATABASE"],
    ["TLS that the server has not", /$/, "?sslmode=require", "NO_TLS"],
    ["a port where nothing listens", /:\d+\//, ":1/", "ECONNREFUSED"],
  ])("%s is named by a word", async (_what, pattern, replacement, code) => {
    const ledger = await open(url.replace(pattern, replacement));
    const { error } = await timed(ledger.find("a"));
    expect(error).toMatchObject({ name: "StoreError", code });
  });

  test("a newer schema is refused in one sentence", async () => {
    await open();
    await server.sql(url, "UPDATE faceid_schema SET version = 7 WHERE part = 'ledger'");
    const ledger = openLedger(at(url), { register, clock: systemClock });
    opened.push(ledger);
    const { error } = await timed(ledger.open());
    expect(error).toBeInstanceOf(OperatorError);
    expect((error as Error).message).toContain(
      "LEDGER_URL: the database has version 7 of the ledger tables, and this release knows up to 2",
    );
  });

  test("processes that start at once bring the schema up to date once", async () => {
    const ledgers = await Promise.all(Array.from({ length: 8 }, () => open()));
    await Promise.all(ledgers.map((ledger, i) => ledger.put([newOrder(`n${i}`)])));
    expect(await ledgers[0]?.counts()).toMatchObject({ open: 8 });
    expect(await server.sql(url, "SELECT count(*) FROM faceid_registers")).toBe("1");
  });
});
