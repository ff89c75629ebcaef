import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OperatorError, StoreError } from "../../src/errors.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { createThreadedLedger } from "../../src/ledger/threaded-ledger.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { describeLedger } from "./ledger.contract.ts";
import { newOrder, passed, T0 } from "./orders.ts";

const register = "app@host";
let root: string;
let directory: string;
const opened: Ledger[] = [];
const children = new Set<ChildProcess>();

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ledger-"));
  directory = join(root, "data");
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((ledger) => ledger.close()));
  for (const child of children) child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

async function open(name = register): Promise<Ledger> {
  const ledger = openLedger({ kind: "sqlite", directory }, { register: name, clock: systemClock });
  opened.push(ledger);
  await ledger.open();
  return ledger;
}

describeLedger("sqlite", async () => ({ open }));

/** A process that puts orders into the ledger, and says each once it is there; and how it ended. */
function writer(name: string): { written: string[]; kill: () => Promise<unknown> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, "writer-child.ts"), directory, name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.add(child);
  const written: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => written.push(line));
  const gone = Promise.all([once(child, "exit"), once(lines, "close")]);
  return {
    written,
    kill: () => {
      child.kill("SIGKILL");
      return gone;
    },
  };
}

test("several processes write at once, and what one has written survives its kill -9", async () => {
  const ledger = await open();
  const writers = ["a", "b", "c"].map(writer);
  for (const [i, { written, kill }] of writers.entries()) {
    await expect.poll(() => written.length, { timeout: 30_000 }).toBeGreaterThan(50 * (i + 1));
    await kill();
  }
  for (const { written } of writers) {
    for (const orderNo of written) {
      const order = await ledger.find(orderNo);
      expect(order?.end?.endedAt, orderNo).toBe(T0);
    }
  }
  const { last } = await ledger.position();
  expect(last).toBeGreaterThanOrEqual(writers.reduce((sum, { written }) => sum + written.length, 0));
  const events = await ledger.endedAfter(0, last + 1);
  expect(events.map(({ end }) => end?.sequence)).toEqual(Array.from({ length: last }, (_, i) => i + 1));
});

test("an end by another process is hinted at", async () => {
  const ledger = await open();
  let hints = 0;
  ledger.watch(() => (hints += 1));
  const { written, kill } = writer("a");
  await expect.poll(() => hints, { timeout: 30_000 }).toBeGreaterThan(0);
  await kill();
  expect(written.length).toBeGreaterThan(0);
});

describe("while another process holds the database's lock", () => {
  test("writes reject within about a second, reads and the event loop go on, and it works again afterwards", async () => {
    const ledger = await open();
    await ledger.put([newOrder("a")]);
    const other = new DatabaseSync(join(directory, "ledger.db"));
    other.exec("BEGIN IMMEDIATE");
    let longestMs = 0;
    let watching = true;
    const watchLoop = (async () => {
      for (let last = performance.now(); watching; last = performance.now()) {
        await new Promise((resolve) => setImmediate(resolve));
        longestMs = Math.max(longestMs, performance.now() - last);
      }
    })();
    const startedAt = performance.now();
    const puts = await Promise.allSettled(["b", "c", "d"].map((orderNo) => ledger.put([newOrder(orderNo)])));
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    watching = false;
    await watchLoop;
    for (const put of puts) expect(put).toMatchObject({ reason: expect.any(StoreError) });
    expect(longestMs).toBeLessThan(600);
    other.exec("ROLLBACK");
    other.close();
    await expect
      .poll(() =>
        ledger.put([newOrder("b")]).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    expect((await ledger.list({}, { size: 10 })).length).toBeGreaterThanOrEqual(2);
  });
});

test("a thread that ends rejects what was asked of it, and is replaced", async () => {
  const threads: Worker[] = [];
  const note = (thread: Worker) => void threads.push(thread);
  process.on("worker", note);
  try {
    const ledger = await open();
    await ledger.put([newOrder("a")]);
    const pending = Promise.allSettled(Array.from({ length: 50 }, () => ledger.find("a")));
    await threads[0]!.terminate();
    const rejected = (await pending).filter(({ status }) => status === "rejected");
    for (const { reason } of rejected as PromiseRejectedResult[])
      expect(reason).toMatchObject({ name: "StoreError", code: "THREAD_ENDED" });
    await expect(ledger.find("a")).rejects.toThrow("THREAD_ENDED");
    await expect.poll(() => ledger.find("a").catch(() => undefined), { timeout: 10_000 }).toBeDefined();
    expect(threads).toHaveLength(2);
  } finally {
    process.off("worker", note);
  }
});

test("closing waits for what was asked", async () => {
  const ledger = await open();
  const orders = Array.from({ length: 20 }, (_, i) => newOrder(`n${i}`));
  const puts = Promise.all(orders.map((order) => ledger.put([order])));
  await ledger.close();
  await puts;
  await expect(ledger.find("n0")).rejects.toThrow(StoreError);
  expect((await (await open()).counts()).open).toBe(20);
});

describe("a directory it must not use is refused at the start", () => {
  test("on a network disk", async () => {
    const ledger = createThreadedLedger({ directory, register, fileSystemType: async () => 0x6969 });
    await expect(ledger.open()).rejects.toThrow(
      `the ledger cannot use the directory ${directory}: it is on a network file system (NFS)`,
    );
  });

  test("in whose place there is something else", async () => {
    mkdirSync(join(root, "elsewhere"));
    symlinkSync(join(root, "elsewhere"), directory);
    await expect(open()).rejects.toThrow("it is not a directory; choose another LEDGER_URL");
  });

  test("that the file system does not allow", async () => {
    directory = "/proc/ledger";
    await expect(open()).rejects.toThrow(OperatorError);
  });
});

test("a directory that others may read is made private", async () => {
  mkdirSync(directory);
  chmodSync(directory, 0o755);
  await open();
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

test("a newer schema is refused in one sentence, and left as it is", async () => {
  await (await open()).close();
  const database = new DatabaseSync(join(directory, "ledger.db"));
  database.exec("UPDATE faceid_schema SET version = 99 WHERE part = 'ledger'");
  await expect(open()).rejects.toThrow(
    "LEDGER_URL: the database has version 99 of the ledger tables, and this release knows up to 2: " +
      "start a later release, or restore a backup from before its first start",
  );
  expect(database.prepare("SELECT version FROM faceid_schema").get()).toEqual({ version: 99 });
  database.close();
});

test("a file that is no database stops no start, and is named by every operation", async () => {
  mkdirSync(directory);
  writeFileSync(join(directory, "ledger.db"), "no database, and long enough to be looked at".repeat(100));
  const asked: unknown[] = [];
  const ledger = openLedger(
    { kind: "sqlite", directory },
    { register, clock: systemClock, events: { ledgerAsked: (event) => asked.push(event) } },
  );
  opened.push(ledger);
  await ledger.open();
  await expect(ledger.find("a")).rejects.toMatchObject({ name: "StoreError", code: "SQLITE_NOTADB" });
  expect(asked).toMatchObject([
    { op: "open", ok: false },
    { op: "find", ok: false },
  ]);
  await expect(ledger.end("a", passed(), { endpoints: [] })).rejects.toThrow(StoreError);
});
