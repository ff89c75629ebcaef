import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OrderState } from "../gen/faceverification/v1/order_pb.ts";
import { NextStep, Verdict, VerdictReason } from "../gen/faceverification/v1/verdict_pb.ts";
import { type LedgerLocation, parseLedgerUrl } from "../src/config/ledger.ts";
import type { Ledger, LedgerOrder, OrderEnd, OrderFilter } from "../src/ledger/ledger.ts";
import { openLedger } from "../src/ledger/open-ledger.ts";
import { outcomeOf } from "../src/ledger/rows.ts";
import { systemClock } from "../src/lib/clock.ts";
import { startPostgres, stopPostgres } from "../test/support/postgres.ts";
import { fixed, quantile } from "./numbers.ts";
import { machine, report, table } from "./report.ts";

export interface LedgerBenchOptions {
  /** Orders in the ledger. */
  orders: number;
  write: boolean;
}

/** Of all orders, one in so many has no end yet. */
const OPEN_SHARE = 1_000;
const DAYS = 30;
const DAY_MS = 86_400_000;
/** Times that each question is asked. */
const ASKED = 300;
const REGISTER = "bench";

interface Engine {
  name: string;
  location: LedgerLocation;
  /** Runs a statement, however long it takes. */
  execute: (sql: string) => Promise<unknown>;
  bytes: () => Promise<number>;
  stop(): Promise<void>;
}

/** Pages and claims of a ledger with a million orders, and what an order takes on disk. */
export async function ledger({ orders, write }: LedgerBenchOptions): Promise<void> {
  const rows: string[][] = [];
  for (const start of [sqlite, postgres]) {
    const engine = await start();
    try {
      rows.push(...(await measure(engine, orders)));
    } finally {
      await engine.stop();
    }
  }
  const text = table(["engine", "what", "p50 ms", "p99 ms", "target, p99 ms"], rows);
  const setting = `${orders.toLocaleString("en")} orders of ${DAYS} days, one in ${OPEN_SHARE} without an end, a delivery each; each question ${ASKED} times.`;
  report("ledger", `${machine(`npm run bench -- ledger --orders ${orders}`)} ${setting}\n\n${text}`, write);
}

async function measure(engine: Engine, count: number): Promise<string[][]> {
  const { name, location, bytes } = engine;
  const empty = await bytes();
  const ledger = openLedger(location, { register: REGISTER, clock: systemClock });
  await ledger.open();
  const now = systemClock.now();
  await fill(ledger, engine, count, now);
  const random = (most: number) => Math.floor(Math.random() * most);
  const day = () => {
    const createdSince = now - (1 + random(DAYS - 1)) * DAY_MS;
    return { createdSince, createdBefore: createdSince + DAY_MS };
  };
  const filters: Record<string, () => OrderFilter> = {
    "ListOrders by reference": () => ({ reference: `loan-${random(count)}` }),
    "ListOrders by person": () => ({ userId: person(random(count)) }),
    "ListOrders by state, without an end": () => ({ state: OrderState.CREATED }),
    "ListOrders by state, completed": () => ({ state: OrderState.COMPLETED }),
    "ListOrders by day": day,
    "ListOrders by day and state": () => ({ ...day(), state: OrderState.EXPIRED }),
    "ListOrders by person and state": () => ({ userId: person(random(count)), state: OrderState.EXPIRED }),
  };
  const rows: string[][] = [];
  const add = (what: string, times: number[], target: string) =>
    rows.push([name, what, fixed(quantile(times, 0.5), 2), fixed(quantile(times, 0.99), 2), target]);
  for (const [what, filter] of Object.entries(filters)) {
    add(what, await timed(() => ledger.list(filter(), { size: 50 })), "50");
  }
  let last: LedgerOrder | undefined;
  add(
    "ListOrders, the next page",
    await timed(async () => {
      const after = last && { createdAt: last.createdAt, orderNo: last.orderNo };
      last = (await ledger.list({ state: OrderState.COMPLETED }, { size: 50, after })).at(-1);
    }),
    "50",
  );
  const claim = { limit: 4, leaseMs: 30_000, horizonMs: DAY_MS };
  add(
    "a claim of four",
    await timed(async (i) => ledger.claim({ ...claim, token: `bench-${i}`, now: systemClock.now() })),
    "10",
  );
  add("the gauges", await timed(() => ledger.counts()), "");
  const perOrder = ((await bytes()) - empty) / count;
  rows.push([name, `bytes an order: ${fixed(perOrder)}`, "", "", "1024 bytes"]);
  await ledger.close();
  return rows;
}

async function timed(ask: (i: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < ASKED; i++) {
    const from = performance.now();
    await ask(i);
    times.push(performance.now() - from);
  }
  return times;
}

/** Five launches a person. */
const person = (i: number) => `u${String(Math.floor(i / 5)).padStart(29, "0")}`;

const END: OrderEnd = {
  state: OrderState.COMPLETED,
  endedAt: 0,
  judgement: {
    verdict: Verdict.PASSED,
    reason: VerdictReason.SAME_PERSON,
    nextStep: NextStep.NONE,
    billed: true,
  },
  evidence: {
    code: "0",
    bizSeqNo: "2".repeat(32),
    liveRate: 99,
    similarity: 88.01,
    occurredAt: 1_795_772_530_000,
    oriCode: "0",
    sdkVersion: "1.12.12",
    riskInfo: { deviceInfoLevel: "1" },
  },
};

/** Orders by the contract; their ends, which it writes one by one, in one statement after the model of the first. */
async function fill(ledger: Ledger, { name, execute }: Engine, count: number, now: number): Promise<void> {
  const endpoints = ["crm"];
  const order = (i: number) => ({
    orderNo: (i * 7_919).toString(36).padStart(32, "x"),
    userId: person(i),
    reference: `loan-${i}`,
    linkId: "",
    createdAt: now - DAYS * DAY_MS + Math.floor((i / count) * DAYS * DAY_MS),
    withPhoto: false,
    livemode: true,
    dueAt: now,
  });
  for (let i = 0; i < count; i += 1_000) {
    await ledger.put(Array.from({ length: Math.min(1_000, count - i) }, (_, j) => order(i + j)));
  }
  // The endpoint's first delivery.
  await ledger.end(order(1).orderNo, { ...END, endedAt: now }, { endpoints });
  const number = "CAST(substr(reference, 6) AS INTEGER)";
  await execute(
    `UPDATE faceid_orders SET state = CASE WHEN ${number} % 7 = 0 THEN 3 ELSE 2 END, ended_at = created_at + 60000,
       sequence = ${number} + 2, outcome = '${outcomeOf(END)}' WHERE state = 1 AND ${number} % ${OPEN_SHARE} <> 0`,
  );
  await execute(
    `INSERT INTO faceid_deliveries (endpoint, sequence, state, attempts, queued_at, due_at, tried_at, result)
     SELECT 1, sequence, 2, 1, ended_at, ended_at, ended_at, '204' FROM faceid_orders WHERE sequence > 1`,
  );
  // As it is after a while: an update leaves the row that it replaces.
  await execute(name === "SQLite" ? "VACUUM" : "VACUUM FULL");
  await execute("ANALYZE");
}

async function sqlite(): Promise<Engine> {
  const { DatabaseSync } = await import("node:sqlite");
  const directory = mkdtempSync(join(tmpdir(), "bench-ledger-"));
  const file = join(directory, "ledger.db");
  return {
    name: "SQLite",
    location: { kind: "sqlite", directory },
    async execute(sql) {
      const database = new DatabaseSync(file);
      database.exec(sql);
      database.close();
    },
    bytes: async () => statSync(file, { throwIfNoEntry: false })?.size ?? 0,
    stop: async () => rmSync(directory, { recursive: true }),
  };
}

async function postgres(): Promise<Engine> {
  const server = await startPostgres({ durable: true });
  const url = await server.createDatabase();
  const location = parseLedgerUrl(url);
  if (typeof location === "string") throw new Error(location);
  return {
    name: "PostgreSQL",
    location,
    execute: (sql) => server.sql(url, sql),
    bytes: async () => Number(await server.sql(url, "SELECT pg_database_size(current_database())")),
    stop: stopPostgres,
  };
}
