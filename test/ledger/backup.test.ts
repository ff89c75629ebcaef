import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { type LedgerLocation, parseLedgerUrl } from "../../src/config/ledger.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { missingPostgres, startPostgres, stopPostgres } from "../support/postgres.ts";
import { newOrder, passed } from "./orders.ts";

const opened: Ledger[] = [];
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "backup-"));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((ledger) => ledger.close()));
  rmSync(root, { recursive: true, force: true });
});

async function open(url: string): Promise<Ledger> {
  const location = parseLedgerUrl(url) as LedgerLocation;
  const ledger = openLedger(location, { register: "app@host", clock: systemClock });
  opened.push(ledger);
  await ledger.open();
  return ledger;
}

/** Writes and ends orders until it is stopped; the numbers of those that are certain. */
function writing(ledger: Ledger) {
  const ended: string[] = [];
  let more = true;
  const done = (async () => {
    for (let i = 0; more; i++) {
      await ledger.put([newOrder(`n${i}`)]);
      await ledger.end(`n${i}`, passed(), { endpoints: ["hook"] });
      ended.push(`n${i}`);
    }
  })();
  return {
    ended,
    stop: () => {
      more = false;
      return done;
    },
  };
}

/** Backs up in the midst of writes, restores, and looks for everything that was there when the backup began. */
async function backUpAndRestore(url: string, backUp: () => Promise<unknown>, restore: () => Promise<string>) {
  const { ended, stop } = writing(await open(url));
  await expect.poll(() => ended.length, { timeout: 30_000 }).toBeGreaterThan(100);
  const certain = [...ended];
  await backUp();
  const during = ended.length;
  await stop();
  expect(during).toBeGreaterThanOrEqual(certain.length);

  const restored = await open(await restore());
  for (const orderNo of certain) expect((await restored.find(orderNo))?.end, orderNo).toBeDefined();
  const { last } = await restored.position();
  expect(last).toBeGreaterThanOrEqual(certain.length);
  const sequences = (await restored.endedAfter(0, last + 1)).map(({ end }) => end?.sequence);
  expect(sequences).toEqual(Array.from({ length: last }, (_, i) => i + 1));
  expect(await restored.endpoints(["hook"])).toMatchObject([{ waiting: last }]);
  // And it goes on where the backup ended.
  await restored.put([newOrder("later")]);
  const later = await restored.end("later", passed(), { endpoints: ["hook"] });
  expect(later?.end?.sequence).toBe(last + 1);
}

test("a ledger in a directory is backed up by VACUUM INTO while it is written, and restored", async () => {
  const [file, restored] = [join(root, "backup.db"), join(root, "restored")];
  await backUpAndRestore(
    `sqlite:${join(root, "data")}`,
    async () => {
      const database = new DatabaseSync(join(root, "data", "ledger.db"), { timeout: 10_000 });
      database.exec(`VACUUM INTO '${file}'`);
      database.close();
    },
    async () => {
      mkdirSync(restored);
      copyFileSync(file, join(restored, "ledger.db"));
      return `sqlite:${restored}`;
    },
  );
  const database = new DatabaseSync(join(restored, "ledger.db"));
  expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  database.close();
});

describe.skipIf(missingPostgres())("a ledger on a server", () => {
  afterAll(stopPostgres);

  test("is backed up by pg_dump while it is written, and restored", async () => {
    const server = await startPostgres();
    const url = await server.createDatabase();
    await backUpAndRestore(
      url,
      () =>
        server.run(
          "pg_dump",
          "-Fc",
          "--no-unlogged-table-data",
          "--exclude-table-data=faceid_tickets",
          "-f",
          "faceid.dump",
          url,
        ),
      async () => {
        const fresh = await server.createDatabase();
        await server.run("pg_restore", "--no-owner", "-d", fresh, "faceid.dump");
        return fresh;
      },
    );
  });
});
