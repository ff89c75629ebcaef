import { create } from "@bufbuild/protobuf";
import { GetResultRequestSchema } from "../../../gen/faceverification/v1/face_verification_service_pb.ts";
import { createWebhookDeliveries } from "../../../src/deliveries/deliveries.ts";
import { createOrderNumbers } from "../../../src/domain/order-number.ts";
import { StoreError } from "../../../src/errors.ts";
import { createGetResult } from "../../../src/handlers/get-result.ts";
import { createOutcomeReader } from "../../../src/handlers/read-outcome.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { askOf, methodsBy } from "../../../src/ledger/methods.ts";
import type { Clock } from "../../../src/lib/clock.ts";
import { Secret } from "../../../src/lib/redacted.ts";
import type { OrderEvents } from "../../../src/orders/events.ts";
import { openOrders } from "../../../src/orders/open-orders.ts";
import type { World } from "../../simulation/world.ts";
import { type Receiver, SHOP } from "./receiver.ts";
import type { Vendor } from "./vendor.ts";

export const T0 = Date.UTC(2026, 0, 1);

/** What can go wrong between a process and what it talks to. */
export interface Weather {
  ledgerDown: boolean;
  /** Probability that a process crashes at one step: before or after an operation, or before or after a query. */
  crash: number;
  /** Probability that the reply to an operation that was carried out is lost. */
  lostReply: number;
}

export interface NodeOptions {
  name: string;
  world: World;
  ledger: Ledger;
  vendor: Vendor;
  receiver: Receiver;
  weather: Weather;
  events: Partial<OrderEvents>;
  /** How far the machine's clock is ahead. */
  machine: { aheadMs: number };
  /** Called when the process has crashed. */
  crashed: () => void;
}

const orderNumbers = createOrderNumbers(() => [new Secret("s".repeat(64))]);
const NEVER = new Promise<never>(() => undefined);

/** One process: production code between a virtual clock, a ledger and a vendor, all of which can fail it. */
export function createNode(options: NodeOptions) {
  const { name, world, ledger, vendor, receiver, weather, events, machine, crashed } = options;
  let alive = true;
  let frozenUntil = 0;
  /** Answered orders whose rows were not in the ledger at the time. */
  const unwritten = new Set<string>();

  function crash(): void {
    if (!alive) return;
    alive = false;
    world.trace(`${name} crashes`);
    crashed();
  }

  /** Resolves `ms` later, when the process runs; never once it has crashed. */
  function wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const arrive = () => {
        if (!alive) return false;
        if (world.now >= frozenUntil) return resolve();
        world.at(frozenUntil, arrive);
        return false;
      };
      world.after(ms, arrive);
    });
  }

  async function step(): Promise<void> {
    if (!alive) return NEVER;
    if (world.chance(weather.crash)) {
      crash();
      return NEVER;
    }
  }

  const clock: Clock = {
    now: () => T0 + Math.round(world.now) + machine.aheadMs,
    monotonic: () => world.now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
        wait(ms).then(resolve, reject);
      }),
  };

  const ask = askOf(ledger);
  const reached: Ledger = {
    ...ledger,
    ...methodsBy(async (op, args) => {
      await step();
      await wait(world.between(0.5, 10));
      if (weather.ledgerDown) throw new StoreError(op, "ECONNREFUSED");
      await step();
      // What is on its way arrives, whatever becomes of the sender.
      const result = await ask(op, args);
      await step();
      await wait(world.between(0.5, 10));
      if (!world.chance(weather.lostReply)) return result;
      await wait(1_000);
      throw new StoreError(op, "TIMEOUT");
    }),
  };

  const queryBy = (whose: string) => async (orderNo: string) => {
    await step();
    await wait(world.between(5, 50));
    await step();
    const result = vendor.query(orderNo, whose);
    await wait(world.between(5, 50));
    return result;
  };

  const ignore = () => undefined;
  const all = new Proxy(events, {
    get: (target, event) => Reflect.get(target, event) ?? ignore,
  }) as OrderEvents;
  const room = openOrders({
    ledger: reached,
    endpoints: [SHOP.name],
    query: queryBy(name),
    tickets: { readiness: () => ({ ready: true, reason: "" }) },
    collects: true,
    livemode: true,
    retentionMs: 30 * 24 * 3_600_000,
    pseudonym: (text) => text,
    sealer: { seal: (plain) => plain, open: (plain) => ({ ok: true, plain }) },
    clock,
    random: world.random,
    events: all,
  });
  const { orders } = room;
  const getResult = createGetResult({
    livemode: true,
    orderNumbers,
    outcomes: createOutcomeReader({ orderNumbers, orders, queryOrder: queryBy("caller"), clock }),
    queryOrder: queryBy("caller"),
    linkOf: async () => undefined,
    clock,
  });
  void room.start();
  const deliveries = createWebhookDeliveries({
    webhooks: () => [SHOP],
    appId: "app",
    ledger: reached,
    proxy: undefined,
    clock,
    random: world.random,
    events: all,
    pollMs: 5_000,
    openSender: () => ({
      async send(webhook) {
        await step();
        await wait(world.between(5, 50));
        const answer = receiver.take(webhook);
        await step();
        await wait(world.between(5, 50));
        return answer;
      },
      close: async () => undefined,
    }),
  });
  void deliveries.start();

  return {
    name,
    clock,
    crash,
    unwritten,
    isAlive: () => alive,
    freeze(ms: number) {
      frozenUntil = world.now + ms;
      world.trace(`${name} freezes for ${Math.round(ms)}`);
    },
    setClock(ms: number) {
      machine.aheadMs = ms;
      world.trace(`${name}'s clock is ${Math.round(ms)} ahead`);
    },

    /** GetFaceParams, as `prepare-launch.ts` uses the port. Resolves to the number if it is answered. */
    async launch(fails: boolean): Promise<string | undefined> {
      const record = orders.begin();
      const orderNo = orderNumbers.mint("", clock.now());
      record.minted({ orderNo, userId: "user", reference: "", linkId: "", withPhoto: false });
      await wait(world.between(20, 200));
      await step();
      if (fails) {
        record.discard();
        return undefined;
      }
      await record.durable();
      await step();
      if ((await ledger.find(orderNo)) === undefined) unwritten.add(orderNo);
      return orderNo;
    },

    /** GetResult. */
    getResult: (orderNo: string) =>
      getResult(create(GetResultRequestSchema, { orderNo }), {
        caller: { name: "shop", internal: true, subject: "", media: true },
        requestId: "",
        signal: new AbortController().signal,
        note: ignore,
      }),
  };
}

export type Node = ReturnType<typeof createNode>;
