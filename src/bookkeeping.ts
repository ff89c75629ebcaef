import type { Config } from "./config/config.ts";
import type { ServiceEvents } from "./events.ts";
import type { QueryOrder } from "./handlers/query-order.ts";
import type { Ledger } from "./ledger/ledger.ts";
import type { Clock } from "./lib/clock.ts";
import { createPseudonym } from "./lib/keyed-hash.ts";
import { createLifecycle, type Part } from "./lib/lifecycle.ts";
import type { Reloadable } from "./lib/memoize.ts";
import { forwardOrders, NO_ORDERS, type Orders } from "./orders/orders.ts";
import type { Subscribers } from "./subscribers.ts";
import type { LedgerSnapshot, OrderMetrics } from "./telemetry/order-metrics.ts";
import type { TicketReader } from "./tickets/reader.ts";
import type { Sealer } from "./tickets/sealer.ts";

export interface BookkeepingOptions {
  /** Instead of the configured one. */
  ledger: Ledger | undefined;
  /** The collector's own way to ask the vendor. */
  query: QueryOrder;
  tickets: TicketReader;
  /** With the secrets of webhooks and the login to the ledger as they are now; everything else as at the start. */
  current: Reloadable<Config>;
  sealer: Sealer;
  metrics: Pick<OrderMetrics, "observe">;
  clock: Clock;
  events: ServiceEvents;
}

/** What becomes of launches: nothing without a ledger, and then nothing of it is loaded. */
export interface Bookkeeping extends Part {
  orders: Orders;
  /** Who hears of the ends; resolves once the ledger is open. Undefined without a ledger. */
  subscribers: Promise<Pick<Subscribers, "feed" | "operator">> | undefined;
}

/** Ledger, recorder, collector and subscribers: the third part of the composition root. */
export function createBookkeeping(config: Config, options: BookkeepingOptions): Bookkeeping {
  const { appId, livemode, proxy, register, role, secrets } = config;
  const { current, metrics, clock, events } = options;
  if (!config.ledger) return { orders: NO_ORDERS, subscribers: undefined };
  const { location, retentionMs } = config.ledger;
  const loaded = Promise.withResolvers<Subscribers>();
  let parts: Required<Part> | undefined;
  let orders = NO_ORDERS;
  const webhooks = () => current().webhooks;
  const login = () => {
    const now = current().ledger?.location;
    return now?.kind === "postgres" ? now : {};
  };

  async function load(): Promise<Required<Part>> {
    const [{ openLedger }, { openOrders }, { createSubscribers }] = await Promise.all([
      import("./ledger/open-ledger.ts"),
      import("./orders/open-orders.ts"),
      import("./subscribers.ts"),
    ]);
    const ledger = options.ledger ?? openLedger(location, { register, login, clock, events });
    const endpoints = webhooks().map(({ name }) => name);
    const opened = openOrders({
      ...options,
      ledger,
      livemode,
      retentionMs,
      endpoints,
      collects: role !== "serve",
      pseudonym: createPseudonym(secrets[0], "orders"),
      random: Math.random,
    });
    ({ orders } = opened);
    metrics.observe(() => snapshotOf(ledger, endpoints, clock));
    const subscribers = createSubscribers({
      ledger,
      appId,
      register,
      webhooks,
      delivers: role !== "serve",
      proxy,
      clock,
      random: Math.random,
      events,
    });
    const isOpen = { start: async () => loaded.resolve(subscribers) };
    const own = { start: () => ledger.open(), stop: () => ledger.close() };
    return createLifecycle([own, opened, subscribers, isOpen]);
  }

  return {
    orders: forwardOrders(() => orders),
    subscribers: loaded.promise,
    async start() {
      parts = await load();
      await parts.start();
    },
    stop: async () => parts?.stop(),
  };
}

async function snapshotOf(ledger: Ledger, names: readonly string[], clock: Clock): Promise<LedgerSnapshot> {
  const [{ open, oldestCreatedAt, oldestDueAt }, endpoints] = await Promise.all([
    ledger.counts(),
    ledger.endpoints(names),
  ]);
  const since = (time: number | undefined) => time && Math.max(0, clock.now() - time);
  return {
    open,
    oldestOpenMs: since(oldestCreatedAt),
    overdueMs: since(oldestDueAt),
    deliveries: endpoints.map(({ stoppedAt, ...rest }) => ({ ...rest, stopped: stoppedAt !== undefined })),
  };
}
