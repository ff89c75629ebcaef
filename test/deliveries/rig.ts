import type { WebhookEndpoint } from "../../src/config/webhooks.ts";
import { createSqlite } from "../../src/database/sqlite.ts";
import { createWebhookDeliveries } from "../../src/deliveries/deliveries.ts";
import type { ReceiverAnswer } from "../../src/deliveries/next-try.ts";
import type { Webhook } from "../../src/deliveries/sender.ts";
import { newWebhookSecret } from "../../src/domain/webhook-signature.ts";
import { StoreError } from "../../src/errors.ts";
import { createDatabaseLedger } from "../../src/ledger/database-ledger.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { Secret } from "../../src/lib/redacted.ts";
import { newOrder, passed } from "../ledger/orders.ts";
import { EPOCH_MS, ProcessLife } from "../simulation/node.ts";
import { World } from "../simulation/world.ts";

export const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000];
export const OK: ReceiverAnswer = { status: 200, retryAfter: undefined };
export const REFUSED: ReceiverAnswer = { failure: "ECONNREFUSED", sent: false };
export const status = (code: number, retryAfter?: string): ReceiverAnswer => ({ status: code, retryAfter });

/** A request as a receiver saw it. */
export interface Received {
  endpoint: string;
  id: string;
  /** Virtual milliseconds since the beginning. */
  at: number;
  answer: ReceiverAnswer;
  headers: Webhook["headers"];
  body: string;
}

/** How a receiver answers; `ms` is how long it takes, 10 by default. */
export type Receiver = (id: string, at: number) => ReceiverAnswer | { ms: number; answer: ReceiverAnswer };

export const endpoint = (name: string, ...secrets: string[]): WebhookEndpoint => ({
  name,
  url: `https://${name}.example/hook`,
  secrets: (secrets.length > 0 ? secrets : [newWebhookSecret()]).map((secret) => new Secret(secret)),
});

/** Processes that deliver, their ledger and their receivers in virtual time: nothing happens until `world.run`. */
export async function createRig({
  receivers,
  seed = 1,
  pollMs = SECOND,
}: {
  receivers: Readonly<Record<string, Receiver>>;
  seed?: number;
  /** For tests over days. */
  pollMs?: number;
}) {
  const world = new World(seed);
  // Processes differ in their clocks, and these tests are about receivers; one reads as the world does.
  const exact = { now: () => EPOCH_MS + world.now, monotonic: () => world.now };
  const database = createSqlite(":memory:");
  const state = { ledgerAway: false, webhooks: Object.keys(receivers).map((name) => endpoint(name)) };
  const received: Received[] = [];
  const events: Record<string, unknown>[] = [];
  let orders = 0;

  const clockOf = (life: ProcessLife) => ({
    ...exact,
    sleep: (ms: number, signal?: AbortSignal) => life.clock.sleep(ms, signal),
  });
  const open = () =>
    createDatabaseLedger(
      { ...database, stop: async () => undefined },
      { register: "app@host", clock: clockOf(new ProcessLife(world, "any")) },
    );
  await database.start();
  const ledger = open();
  await ledger.open();

  /** The ledger as a process reaches it. */
  function reachedBy(life: ProcessLife): Ledger {
    const reached = open() as unknown as Record<string, (...args: unknown[]) => unknown>;
    const guarded = Object.entries(reached).map(([op, run]) => [
      op,
      op === "watch"
        ? (hint: () => void) => reached["watch"]?.(() => world.after(1, () => life.deliver(hint)))
        : (...args: unknown[]) => {
            if (life.dead) return new Promise(() => undefined);
            return state.ledgerAway ? Promise.reject(new StoreError(op, "ECONNREFUSED")) : run(...args);
          },
    ]);
    return Object.fromEntries(guarded) as Ledger;
  }

  function sendBy(life: ProcessLife) {
    return ({ url, headers, body, signal }: Webhook): Promise<ReceiverAnswer> => {
      if (life.dead) return new Promise(() => undefined);
      const name = new URL(url).hostname.replace(".example", "");
      const id = headers["webhook-id"] ?? "";
      const said = receivers[name]?.(id, world.now) ?? REFUSED;
      const { ms, answer } = "ms" in said ? said : { ms: 10, answer: said };
      received.push({ endpoint: name, id, at: world.now, answer, headers, body });
      return new Promise((resolve, reject) => {
        world.after(ms, () => life.deliver(() => resolve(answer)));
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    };
  }

  return {
    world,
    ledger,
    received,
    events,
    state,
    exact,
    /** A process that delivers. */
    process(name = "p") {
      const life = new ProcessLife(world, name);
      const tell = (event: string) => (detail: object) =>
        void events.push({ event, at: world.now, ...detail });
      const deliveries = createWebhookDeliveries({
        webhooks: () => state.webhooks,
        appId: "IDAXXXXX",
        ledger: reachedBy(life),
        clock: clockOf(life),
        random: world.random,
        events: {
          deliveryTried: tell("deliveryTried"),
          endpointChanged: tell("endpointChanged"),
          dispatchFailed: tell("dispatchFailed"),
        },
        proxy: undefined,
        pollMs,
        openSender: () => ({ send: sendBy(life), close: async () => undefined }),
      });
      void deliveries.start();
      return { life, stop: () => deliveries.stop() };
    },
    /** Orders that end now; their ids. */
    async end(count = 1, endpoints = state.webhooks.map(({ name }) => name)): Promise<string[]> {
      const ids: string[] = [];
      for (let i = 0; i < count; i++) {
        const orderNo = `o${String(++orders).padStart(5, "0")}`;
        await ledger.put([newOrder(orderNo, { createdAt: exact.now() })]);
        await ledger.end(orderNo, passed(exact.now()), { endpoints });
        ids.push(`evt_${orderNo}`);
      }
      return ids;
    },
    /** Ids of the events that an endpoint took, in the order in which it did. */
    taken: (name: string) =>
      received
        .filter(({ endpoint: to, answer }) => to === name && "status" in answer && answer.status === 200)
        .map(({ id }) => id),
    tries: (id: string) => received.filter((each) => each.id === id),
    async run(ms: number) {
      await world.run(world.now + ms);
    },
    stateOf: async (id: string) =>
      (await ledger.listDeliveries({ orderNo: id.slice("evt_".length) }, { size: 10 }))[0],
    [Symbol.asyncDispose]: () => database.stop(),
  };
}
