import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "../../src/lib/clock.ts";
import { createRecorder } from "../../src/orders/recorder.ts";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { createService, openTelemetry } from "../../src/service.ts";
import { eventually, type Harness, unusedPort } from "../support/harness.ts";
import { createTestLedger, startOrders } from "../support/orders.ts";
import type { Causes } from "./causes.ts";
import { type Scrape, scrape, total } from "./exposition.ts";

const person = { name: "张三", id_no: "11010519491231002X" };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LEDGER = { LEDGER_URL: "memory:" };
const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

const launch = async (harness: Harness) =>
  (await harness.form("/get_face_params", person)).body.result as { order_no: string };

/** Scrapes until it is so; `meanwhile` runs before each scrape. */
async function until(
  url: string,
  so: (now: Scrape) => boolean,
  meanwhile = () => undefined as void,
): Promise<Scrape> {
  let now = await scrape(url);
  await eventually(async () => {
    meanwhile();
    now = await scrape(url);
    return so(now);
  });
  return now;
}

/** The vendor's query fails for longer than its records are certain, and before that no token can be had for an hour. */
export async function vendorAway(): Promise<Causes> {
  await using harness = await startOrders({ env: LEDGER });
  const { admin, sandbox, clock } = harness;
  const before = [await scrape(admin)];
  await launch(harness);
  const token = sandbox.faults.add({ endpoint: "access_token", kind: "status", times: null });
  clock.advance(65 * MINUTE);
  const overdue = await until(admin, (now) => total(now, "faceid_orders_overdue_seconds") > 3_000);
  sandbox.faults.clear(token);
  const query = sandbox.faults.add({ endpoint: "query", kind: "status", times: null });
  clock.advance(25 * HOUR);
  await until(admin, (now) => total(now, "faceid_order_looks_total") > 0);
  sandbox.faults.clear(query);
  const isUnknown = (now: Scrape) => total(now, "faceid_orders_ended_total", 'state="UNKNOWN"') > 0;
  let unknown = await scrape(admin);
  for (let turns = 0; turns < 40 && !isUnknown(unknown); turns++) {
    await harness.turn(31 * MINUTE, 31 * MINUTE);
    unknown = await scrape(admin);
  }
  if (!isUnknown(unknown)) throw new Error("no order has ended as UNKNOWN");
  return {
    FaceidOrdersOverdue: { before, after: [overdue], goesOn: true },
    FaceidOrderUnknown: { before, after: [unknown] },
  };
}

/** The ledger cannot be written, for so long that the memory is full. */
export async function ledgerAway(): Promise<Causes> {
  await using harness = await startOrders({ env: LEDGER });
  const before = [await scrape(harness.admin)];
  harness.ledger.down = true;
  await launch(harness);
  const unwritten = await until(harness.admin, (now) => total(now, "faceid_ledger_rows_unwritten") > 0);
  harness.ledger.down = false;

  const telemetry = openTelemetry(harness.config, { logSink: { write: () => undefined } });
  const service = createService(harness.config, { telemetry });
  await service.start();
  const admin = `http://${service.addresses().admin}`;
  const ledger = createTestLedger(createTurnableClock(systemClock));
  ledger.down = true;
  const { events } = telemetry;
  const recorder = createRecorder({ ledger, clock: systemClock, random: Math.random, events });
  const order = { userId: "u", reference: "", linkId: "", createdAt: 0, withPhoto: false, livemode: false };
  for (let i = 0; i < 100_100; i++) recorder.put({ ...order, dueAt: 0, orderNo: String(i) });
  const lost = await until(admin, (now) => total(now, "faceid_ledger_rows_lost_total") > 0);
  await recorder.stop();
  await service.stop();
  return {
    FaceidLedgerUnwritten: { before, after: [unwritten] },
    FaceidOrdersLost: { before, after: [lost] },
  };
}

/** The ledger has one verdict, and the vendor gives another to a process that has not seen it. */
export async function contradiction(): Promise<Causes> {
  const clock = createTurnableClock(systemClock);
  const ledger = createTestLedger(clock);
  await using harness = await startOrders({ env: LEDGER }, clock, ledger);
  const params = await launch(harness);
  await harness.playSdk(params, "passed");
  await harness.form("/get_result", params);
  const before = [await scrape(harness.admin)];
  harness.sandbox.complete(params.order_no, "not_same_person");
  Object.assign(ledger, { find: async () => undefined });
  await harness.form("/get_result", params);
  const after = await until(harness.admin, (now) => total(now, "faceid_order_contradictions_total") > 0);
  return { FaceidOrderContradicted: { before, after: [after] } };
}

/** One endpoint cannot be reached for three days, and another is gone. */
export async function receiversAway(): Promise<Causes> {
  const gone = createServer((_request, response) => response.writeHead(410).end());
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const { port } = gone.address() as AddressInfo;
  const env = {
    ...LEDGER,
    WEBHOOK_ENDPOINTS: `crm=http://127.0.0.1:${await unusedPort()}/hook,old=http://127.0.0.1:${port}/`,
    WEBHOOK_SECRETS: `crm:${SECRET},old:${SECRET}`,
  };
  try {
    await using harness = await startOrders({ env });
    const { admin, clock } = harness;
    const before = [await scrape(admin)];
    const params = await launch(harness);
    await harness.playSdk(params, "passed");
    await harness.form("/get_result", params);
    const waiting = await until(admin, (now) => total(now, "faceid_deliveries_waiting", '"crm"') > 0);
    const stopped = await until(admin, (now) => total(now, "faceid_endpoint_stopped", '"old"') > 0);
    clock.advance(73 * HOUR);
    const isParked = (now: Scrape) => total(now, "faceid_deliveries_parked", '"crm"') > 0;
    const parked = await until(admin, isParked, () => clock.advance(MINUTE));
    return {
      FaceidDeliveriesWaiting: { before, after: [waiting] },
      FaceidEndpointStopped: { before, after: [stopped] },
      FaceidDeliveriesParked: { before, after: [parked] },
    };
  } finally {
    gone.closeAllConnections();
    gone.close();
  }
}
