import type { WebhookEndpoint } from "../config/webhooks.ts";
import { StoreError } from "../errors.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { randomBase62 } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";
import type { Part } from "../lib/lifecycle.ts";
import type { Reloadable } from "../lib/memoize.ts";
import type { OrderEvents } from "../orders/events.ts";
import { createDispatcher, type Dispatcher } from "./dispatcher.ts";
import { createSender, type Sender, type SenderOptions } from "./sender.ts";
import { createWaker, type Waker } from "./waker.ts";

export interface DeliveriesOptions extends Pick<SenderOptions, "proxy"> {
  /** Which endpoints there are is read once, and their secrets for every request. */
  webhooks: Reloadable<readonly WebhookEndpoint[]>;
  appId: string;
  ledger: Ledger;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  events: Pick<OrderEvents, "deliveryTried" | "endpointChanged" | "dispatchFailed">;
  /** Replaced by tests. */
  pollMs?: number;
  openSender?: (options: SenderOptions) => Sender;
}

/** How often an endpoint's deliveries are looked for if no hint comes before, milliseconds. */
const POLL_MS = 1_000;
/** How long requests under way may take when the process stops, milliseconds. */
const DRAIN_MS = 1_000;

/** Preallocated: a bare `abort()` captures a stack trace. */
const STOPPING = new Error("the process stops");

/**
 * Sends the end of every order to each webhook endpoint, at least once and in sequence; each endpoint has a dispatcher of its
 * own, so that a slow receiver delays no other. Any number of processes may do so on one ledger.
 */
export function createWebhookDeliveries(options: DeliveriesOptions): Required<Part> {
  const { webhooks, appId, ledger, clock, random, events, proxy } = options;
  const { pollMs = POLL_MS, openSender = createSender } = options;
  const [stopping, cut] = [new AbortController(), new AbortController()];
  const token = randomBase62(16);
  const wakers: Waker[] = [];
  let running: Promise<unknown> = Promise.resolve();
  let unwatch: () => void = () => undefined;

  async function dispatch(started: WebhookEndpoint): Promise<void> {
    const { name, url } = started;
    const sender = openSender({ proxy });
    const waker = createWaker(clock);
    wakers.push(waker);
    const dispatcher = createDispatcher({
      endpoint: { name, url },
      // An endpoint that a reload removed stays until the restart.
      secrets: () => (webhooks().find((endpoint) => endpoint.name === name) ?? started).secrets,
      token,
      appId,
      ledger,
      send: (webhook) => sender.send(webhook),
      clock,
      random,
      events,
    });
    while (!stopping.signal.aborted) {
      const sent = await passOrWait(dispatcher, name);
      if (!sent) await waker.rest(pollMs, stopping.signal);
    }
    // The lease ends by itself if the ledger is unreachable.
    await dispatcher.release().catch(() => undefined);
    await sender.close();
  }

  async function passOrWait(dispatcher: Dispatcher, endpoint: string): Promise<boolean> {
    try {
      return await dispatcher.pass(stopping.signal, cut.signal);
    } catch (error) {
      // The ledger has reported that it is unreachable.
      if (!(error instanceof StoreError)) events.dispatchFailed({ endpoint, error });
      return false;
    }
  }

  return {
    async start() {
      unwatch = ledger.watch(() => {
        for (const waker of wakers) waker.wake();
      });
      running = Promise.all(webhooks().map(dispatch));
    },
    async stop() {
      unwatch();
      stopping.abort(STOPPING);
      const drained = new AbortController();
      void clock.sleep(DRAIN_MS, drained.signal).then(
        () => cut.abort(STOPPING),
        () => undefined,
      );
      await running;
      drained.abort(STOPPING);
    },
  };
}
