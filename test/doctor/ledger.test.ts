import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { type LedgerLocation, parseLedgerUrl } from "../../src/config/ledger.ts";
import { createPostgres } from "../../src/database/postgres.ts";
import { checkLedger } from "../../src/doctor/ledger.ts";
import { LEDGER_SCHEMA } from "../../src/ledger/migrations.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { missingPostgres, startPostgres, stopPostgres } from "../support/postgres.ts";

/** A stopwatch of another speed, so that findings do not depend on this machine's load. */
const stopwatch = (speed: number): Clock => ({
  ...systemClock,
  monotonic: () => systemClock.monotonic() * speed,
});

async function checked(url: string, clock: Clock = stopwatch(0.001)) {
  const location = parseLedgerUrl(url) as LedgerLocation;
  const database =
    location.kind === "postgres" ? createPostgres({ location, clock: systemClock }) : undefined;
  try {
    return await checkLedger({ location, database, schema: LEDGER_SCHEMA, clock });
  } finally {
    await database?.stop();
  }
}

test("a ledger in memory is a warning", async () => {
  expect(await checked("memory:")).toMatchObject([{ check: "ledger", status: "warn" }]);
});

describe("a ledger in a directory", () => {
  let root: string;
  let directory: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "doctor-"));
    directory = join(root, "data");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test("that is not there yet is not made by the doctor", async () => {
    expect(await checked(`sqlite:${directory}`)).toMatchObject([{ status: "warn" }]);
    expect(existsSync(directory)).toBe(false);
  });

  test("that can be used is left as it is", async () => {
    mkdirSync(directory);
    chmodSync(directory, 0o755);
    expect(await checked(`sqlite:${directory}`)).toMatchObject([{ check: "ledger directory", status: "ok" }]);
    expect(existsSync(join(directory, "ledger.db"))).toBe(false);
  });

  test("in whose place there is a file is a fault", async () => {
    writeFileSync(directory, "");
    expect(await checked(`sqlite:${directory}`)).toMatchObject([
      { status: "fail", detail: `${directory}: it is not a directory` },
    ]);
  });

  test.skipIf(process.geteuid?.() !== 0)("of another user is a fault", async () => {
    mkdirSync(directory);
    chownSync(directory, 1000, 1000);
    chmodSync(root, 0o711);
    process.seteuid?.(65_532);
    try {
      expect(await checked(`sqlite:${directory}`)).toMatchObject([
        { status: "fail", detail: expect.stringContaining("belongs to the user 1000, and this is 65532") },
      ]);
    } finally {
      process.seteuid?.(0);
    }
  });
});

describe.skipIf(missingPostgres())("a ledger on a server", () => {
  afterAll(stopPostgres);

  test("is told by version, tables and speed, or by what is wrong and its cure", async () => {
    const server = await startPostgres();
    const url = await server.createDatabase();
    expect(await checked(url)).toMatchObject([
      { status: "ok", detail: expect.stringMatching(/^PostgreSQL \d+.*, tables of version 0, 0\.0 ms/) },
    ]);
    expect(await server.sql(url, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'faceid%'")).toBe("0");
    expect(await checked(url, stopwatch(10_000))).toMatchObject([{ status: "warn" }]);

    const ledger = openLedger(parseLedgerUrl(url) as LedgerLocation, { register: "r", clock: systemClock });
    await ledger.open();
    await ledger.close();
    expect(await checked(url)).toMatchObject([{ detail: expect.stringContaining("tables of version 2") }]);
    await server.sql(url, "UPDATE faceid_schema SET version = 9");
    expect(await checked(url)).toMatchObject([
      { status: "fail", detail: expect.stringContaining("the database has version 9") },
    ]);

    const other = await server.createDatabase();
    await server.sql(other, "CREATE USER app PASSWORD 'one'; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    expect(await checked(other.replace("postgres@", "app:one@"))).toMatchObject([
      { status: "fail", detail: "its user may not make tables" },
    ]);
    expect(await checked(other.replace("postgres@", "app:two@"))).toMatchObject([
      { status: "fail", detail: "it does not answer (WRONG_PASSWORD)", cure: expect.stringContaining("URL") },
    ]);
    expect(await checked(`${url}x`)).toMatchObject([{ detail: "it does not answer (NO_DATABASE)" }]);
    await server.kill();
    expect(await checked(url)).toMatchObject([
      { detail: "it does not answer (ECONNREFUSED)", cure: expect.stringContaining("nothing listens") },
    ]);
  });
});
