import { OrderState } from "../../../gen/faceverification/v1/order_pb.ts";
import { Verdict } from "../../../gen/faceverification/v1/verdict_pb.ts";
import { eventIdOf, type Ledger, type LedgerOrder } from "../../../src/ledger/ledger.ts";
import { openLedger } from "../../../src/ledger/open-ledger.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { World } from "../../simulation/world.ts";
import { createNode, type Node, T0, type Weather } from "./node.ts";
import { Receiver } from "./receiver.ts";
import { Vendor } from "./vendor.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Kinds of trouble; each history has those that it names. */
export interface Scenario {
  nodes: number;
  /** Launches, in the first `launchesMs`. */
  launches: number;
  launchesMs: number;
  crashes?: boolean;
  freezes?: boolean;
  lostReplies?: boolean;
  ledgerOutages?: boolean;
  vendorOutageMs?: number;
  receiverOutageMs?: number;
  /** One process's clock is wrong at a time, by up to so much. */
  clockJumpMs?: number;
  /** When trouble ends, and the history. */
  calmMs: number;
  endMs: number;
}

/** Other parts of the world, such as deliveries, and planted faults. */
export interface Extras {
  /** Wraps the ledger that the processes share. */
  ledger?: (ledger: Ledger) => Ledger;
  /** Called with every new process. */
  started?: (node: Node, world: World, ledger: Ledger) => void;
}

export interface History {
  /** Broken invariants. */
  broken: string[];
  /** Answered orders, and those of them that only a crashed process knew of. */
  answered: number;
  lost: number;
  ends: Record<string, number>;
  hash: number;
}

/** One history of one seed: the same seed, the same history. */
export async function simulate(seed: number, scenario: Scenario, extras: Extras = {}): Promise<History> {
  const world = new World(seed, afterTurns);
  const vendor = new Vendor(world);
  const receiver = new Receiver(world);
  const inner = openLedger({ kind: "memory" }, { register: "simulated", clock: systemClock });
  await inner.open();
  const ledger = extras.ledger?.(inner) ?? inner;
  const weather: Weather = { ledgerDown: false, crash: 0, lostReply: 0 };
  const answered = new Map<string, { node: Node; at: number }>();
  const ended: string[] = [];
  const nodes: Node[] = [];
  const machines = Array.from({ length: scenario.nodes }, () => ({ aheadMs: 0 }));

  function start(i: number): void {
    const node = createNode({
      name: `node${i}`,
      world,
      ledger,
      vendor,
      receiver,
      weather,
      machine: machines[i] ?? { aheadMs: 0 },
      events: { orderEnded: ({ orderNo, state, by }) => void ended.push(`${orderNo} ${state} ${by}`) },
      crashed: () => world.after(world.between(SECOND, 30 * SECOND), () => start(i)),
    });
    nodes[i] = node;
    extras.started?.(node, world, ledger);
  }
  for (let i = 0; i < scenario.nodes; i++) start(i);
  const anyNode = () => nodes[Math.floor(world.random() * nodes.length)] as Node;

  /** One person: a launch, and what follows from it. */
  async function person(): Promise<void> {
    const node = anyNode();
    if (!node.isAlive()) return;
    const orderNo = await node.launch(world.chance(0.05));
    if (orderNo === undefined) return;
    answered.set(orderNo, { node, at: world.now });
    if (world.chance(0.4)) return;
    const captureMs = world.between(15 * SECOND, 320 * SECOND);
    vendor.capture(orderNo, captureMs, world.chance(0.7) ? "0" : "66660004");
    if (world.chance(0.3)) {
      const asks = () =>
        anyNode()
          .getResult(orderNo)
          .catch(() => undefined);
      world.after(captureMs + world.between(-5 * SECOND, 20 * SECOND), () => void asks());
    }
  }
  for (let i = 0; i < scenario.launches; i++) {
    world.at(world.between(0, scenario.launchesMs), () => void person());
  }
  planTrouble(world, scenario, { weather, vendor, receiver, anyNode });
  await world.run(scenario.endMs);

  const orders = await inner.list({}, { size: 1_000_000 });
  const { broken, lost } = check({ orders, answered, vendor, scenario, ended });
  broken.push(...undelivered({ orders, receiver, scenario }));
  const { last } = await inner.position();
  const sequences = new Set(
    orders.map(({ end }) => end?.sequence).filter((sequence) => sequence !== undefined),
  );
  if (sequences.size !== last) broken.push(`${last} ends of ${sequences.size} orders`);
  await inner.close();
  const ends: Record<string, number> = {};
  for (const { state } of orders) {
    const name = stateName(state);
    ends[name] = (ends[name] ?? 0) + 1;
  }
  return { broken, answered: answered.size, lost, ends, hash: world.hash };
}

function planTrouble(
  world: World,
  scenario: Scenario,
  {
    weather,
    vendor,
    receiver,
    anyNode,
  }: { weather: Weather; vendor: Vendor; receiver: Receiver; anyNode: () => Node },
): void {
  const {
    calmMs,
    crashes,
    freezes,
    lostReplies,
    ledgerOutages,
    vendorOutageMs = 0,
    receiverOutageMs = 0,
    clockJumpMs = 0,
  } = scenario;
  let jumping = false;
  weather.crash = crashes ? 0.0005 : 0;
  weather.lostReply = lostReplies ? 0.02 : 0;
  receiver.trouble = lostReplies ? 0.1 : 0;
  world.at(calmMs, () => {
    [weather.crash, weather.lostReply, weather.ledgerDown, vendor.down] = [0, 0, false, false];
    [receiver.trouble, receiver.down] = [0, false];
  });
  if (receiverOutageMs > 0) {
    world.at(calmMs - receiverOutageMs, () => void (receiver.down = true));
  }
  if (vendorOutageMs > 0) {
    const from = world.between(0, Math.max(0, calmMs - vendorOutageMs));
    world.at(from, () => void (vendor.down = true));
    world.at(from + vendorOutageMs, () => void (vendor.down = false));
  }
  for (let at = world.between(MINUTE, 5 * MINUTE); at < calmMs; at += world.between(2 * MINUTE, 8 * MINUTE)) {
    const lasts = Math.min(world.between(SECOND, 90 * SECOND), calmMs - at);
    if (ledgerOutages) {
      world.at(at, () => void (weather.ledgerDown = true));
      world.at(at + lasts, () => void (weather.ledgerDown = false));
    }
    if (freezes)
      world.at(at + world.between(0, MINUTE), () => anyNode().freeze(world.between(SECOND, 150 * SECOND)));
    if (clockJumpMs > 0) {
      world.at(at, () => {
        if (jumping) return;
        jumping = true;
        const node = anyNode();
        node.setClock(world.between(-clockJumpMs, clockJumpMs));
        world.after(Math.min(lasts * world.between(1, 20), calmMs - at), () => {
          node.setClock(0);
          jumping = false;
        });
      });
    }
  }
}

interface Seen {
  orders: readonly LedgerOrder[];
  answered: ReadonlyMap<string, { node: Node; at: number }>;
  vendor: Vendor;
  scenario: Scenario;
  ended: readonly string[];
}

function check({ orders, answered, vendor, scenario, ended }: Seen): { broken: string[]; lost: number } {
  const broken: string[] = [];
  const byNumber = new Map(orders.map((order) => [order.orderNo, order]));
  let lost = 0;
  for (const [orderNo, { node, at }] of answered) {
    const order = byNumber.get(orderNo);
    if (!order) {
      // Its row was in the memory of a process that crashed while the ledger was unreachable.
      if (node.unwritten.has(orderNo) && !node.isAlive()) lost += 1;
      else broken.push(`${orderNo} was answered and is not in the ledger`);
      continue;
    }
    const { end } = order;
    if (!end) {
      broken.push(`${orderNo}, launched at ${Math.round(at)}, has no end after ${order.attempts} looks`);
      continue;
    }
    const code = vendor.codeOf(orderNo);
    const expected = code === undefined ? undefined : code === "0" ? Verdict.PASSED : Verdict.FAILED;
    if (end.judgement?.verdict !== expected) {
      broken.push(
        `${orderNo} ended ${stateName(end.state)} with ${end.judgement?.verdict} instead of ${expected}`,
      );
    }
    const seenMs = end.endedAt - T0 - (vendor.endOf(orderNo) ?? end.endedAt - T0);
    if (isCalm(scenario) && seenMs > MINUTE)
      broken.push(`${orderNo}'s end was seen after ${Math.round(seenMs)} ms`);
    if (expected === undefined && end.state !== OrderState.EXPIRED && !scenario.clockJumpMs) {
      broken.push(`${orderNo} ended ${stateName(end.state)}`);
    }
  }
  for (const { orderNo, state, end } of orders) {
    if (answered.has(orderNo)) continue;
    if (state !== OrderState.EXPIRED)
      broken.push(`${orderNo} was never answered and is ${stateName(state)} ${end?.state}`);
  }
  if (new Set(ended.map((line) => line.split(" ")[0])).size !== ended.length)
    broken.push("an end was reported twice");
  broken.push(...offSchedule(vendor, scenario));
  return { broken, lost };
}

/** Events that did not arrive, that changed between two tries, or, where nothing goes wrong, that came out of sequence. */
function undelivered({
  orders,
  receiver,
  scenario,
}: Pick<Seen, "orders" | "scenario"> & { receiver: Receiver }): string[] {
  const broken: string[] = [];
  const first: { at: number; sequence: number }[] = [];
  for (const { orderNo, end } of orders) {
    if (!end) continue;
    const taken = receiver.accepted.get(eventIdOf(orderNo)) ?? [];
    const [earliest] = taken;
    if (earliest) first.push({ at: earliest.at, sequence: end.sequence });
    else broken.push(`the event of ${orderNo}, ended at ${end.endedAt - T0}, did not arrive`);
    if (new Set(taken.map(({ body }) => body)).size > 1) broken.push(`the event of ${orderNo} changed`);
  }
  if (receiver.accepted.size > first.length) broken.push("an event arrived of no end");
  const came = first.sort((a, b) => a.at - b.at).map(({ sequence }) => sequence);
  const inSequence = came.every((sequence, i) => i === 0 || sequence > (came[i - 1] ?? 0));
  if (
    !scenario.crashes &&
    !scenario.freezes &&
    !scenario.lostReplies &&
    !scenario.ledgerOutages &&
    !inSequence
  ) {
    broken.push(`events came as ${came.join()}`);
  }
  return broken;
}

const stateName = (state: OrderState) =>
  Object.entries(OrderState).find(([, value]) => value === state)?.[0] ?? "";

const isCalm = (scenario: Scenario) =>
  !scenario.crashes &&
  !scenario.freezes &&
  !scenario.lostReplies &&
  !scenario.ledgerOutages &&
  !scenario.vendorOutageMs &&
  !scenario.clockJumpMs;

/** Looks in the schedule of an order that gets no record, and what trouble may add. */
const LOOKS = 14;
const LEAST_GAP_MS = 38 * SECOND;

/** Looks of collectors that came too soon after another, or too often. */
function offSchedule(
  { asked }: Vendor,
  { nodes, clockJumpMs, freezes, vendorOutageMs = 0, crashes, lostReplies }: Scenario,
): string[] {
  const broken: string[] = [];
  for (const [orderNo, all] of asked) {
    const looks = all.filter(({ by }) => by !== "caller").map(({ at }) => at);
    const gaps = looks.slice(1).map((at, i) => at - (looks[i] ?? 0));
    const least = Math.min(...gaps);
    // A clock that jumps brings looks forward, and a frozen process may wake on its way to the vendor.
    if (least < LEAST_GAP_MS && !clockJumpMs && !freezes)
      broken.push(`${orderNo} was looked at twice in ${Math.round(least)} ms`);
    const more =
      vendorOutageMs / (10 * MINUTE) +
      (clockJumpMs ? LOOKS * nodes + 10 : 0) +
      (crashes || lostReplies || freezes ? 8 : 0);
    if (looks.length > LOOKS + more) broken.push(`${orderNo} was looked at ${looks.length} times`);
  }
  return broken;
}

/** Enough for what goes on by promises and by turns of the event loop: a turn of the recorder, and the ledger's own promises. */
async function afterTurns(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

export { HOUR, MINUTE, SECOND, T0 };
