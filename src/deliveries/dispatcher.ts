import { signedHeaders } from "../domain/webhook-signature.ts";
import type { Delivery, DeliveryLedger, EndpointHealth } from "../ledger/delivery-ledger.ts";
import { eventIdOf } from "../ledger/ledger.ts";
import type { Clock } from "../lib/clock.ts";
import type { Reloadable } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";
import type { OrderEvents } from "../orders/events.ts";
import { bodyOf, eventOf } from "./event.ts";
import { type NextTry, nextTry } from "./next-try.ts";
import { LONGEST_RETRY_AFTER_MS } from "./retry-after.ts";
import { createRound, type Round } from "./round.ts";
import { SEND_TIMEOUT_MS, type Sender } from "./sender.ts";

export interface EndpointDispatcherOptions {
  endpoint: { name: string; url: string };
  /** The endpoint's; each signs. */
  secrets: Reloadable<readonly Secret[]>;
  /** Of this process, for the lease. */
  token: string;
  appId: string;
  ledger: DeliveryLedger;
  send: Sender["send"];
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  events: Pick<OrderEvents, "deliveryTried" | "endpointChanged">;
}

/** Sends the events that are due at one endpoint, while its lease is this process's. */
export interface Dispatcher {
  /**
   * Renews the lease and sends what is due; resolves to whether anything was sent. Starts nothing more once `stopping` aborts;
   * requests under way end by `cut`, and are then repeated by the next process. Rejects with StoreError.
   */
  pass(stopping: AbortSignal, cut: AbortSignal): Promise<boolean>;
  /** Gives the lease back. */
  release(): Promise<void>;
}

/** The lease, and the age from which on no request is started under it: it must end while the lease lasts. */
const LEASE_MS = 40_000;
const START_WITHIN_MS = LEASE_MS - SEND_TIMEOUT_MS - 5_000;
/** No delivery is ever put off for longer. */
const HORIZON_MS = LONGEST_RETRY_AFTER_MS + 60 * 60_000;
/** Requests under way at once while the endpoint is healthy and keeps up, and deliveries read at once. */
const PARALLEL = 8;
/** With an untried delivery older than this the endpoint catches up: one after another, so that they arrive in sequence. */
const BACKLOG_MS = 60_000;
const PAGE = 64;

/** One endpoint's dispatcher. Its decisions are in `next-try.ts` and `round.ts`; a crash at any point repeats requests at most. */
export function createDispatcher(options: EndpointDispatcherOptions): Dispatcher {
  const { endpoint, secrets, token, appId, ledger, send, clock, random, events } = options;
  const { name, url } = endpoint;
  /** As last read or decided; undefined once the lease is lost. */
  let health: EndpointHealth | undefined;
  let round: Round = createRound(0);
  let reportedDown = false;

  /** What may be sent now, in sequence. */
  async function sendable(leased: EndpointHealth): Promise<Delivery[]> {
    const now = clock.now();
    if (leased.stoppedAt !== undefined) return [];
    const isResting = leased.resumeAt > now && leased.resumeAt <= now + HORIZON_MS;
    if (!isResting) round = createRound(leased.failures);
    else if (round.failed.size === 0 || !round.open) return [];
    const due = await ledger.dueDeliveries({ endpoint: name, now, limit: PAGE, horizonMs: HORIZON_MS });
    return due.filter(({ sequence }) => !round.failed.has(sequence));
  }

  async function tryOnce(delivery: Delivery, cut: AbortSignal): Promise<void> {
    const { order, sequence } = delivery;
    if (!order.end) throw new Error("a delivery of an order without an end");
    const startedAt = clock.monotonic();
    const id = eventIdOf(order.orderNo);
    const body = bodyOf(eventOf(order, order.end, appId));
    const headers = signedHeaders({ id, body }, secrets(), clock.now());
    const answer = await send({ url, headers, body, signal: cut });
    const before = { resumeAt: 0, stoppedAt: undefined, ...health, failures: round.failures };
    const next = nextTry(delivery, before, answer, { now: clock.now(), random });
    const changed = healthAfter(next, sequence, startedAt);
    if (changed && health) health = changed;
    const { outcome, delivery: tried } = next;
    const { attempts, result } = tried;
    const durationMs = clock.monotonic() - startedAt;
    events.deliveryTried({ endpoint: name, eventId: id, outcome, result, attempts, durationMs });
    if (changed) reportChange(changed, result);
    const settled = { endpoint: name, token, sequence, delivery: tried, health: changed };
    if (!(await ledger.settle(settled))) health = undefined;
  }

  /** The endpoint's health after a try, which others of the round may contradict; undefined if it has not changed. */
  function healthAfter(next: NextTry, sequence: number, startedAt: number): EndpointHealth | undefined {
    if (!next.health) return undefined;
    if (next.outcome === "delivered") {
      const isNews = reportedDown || (health !== undefined && health.failures > 0);
      round.succeeded(clock.monotonic());
      return isNews ? next.health : undefined;
    }
    if (next.outcome === "stopped") return next.health;
    if (round.workedSince(startedAt)) return undefined;
    round.endpointFailed(sequence, next.doubtful);
    return next.health;
  }

  function reportChange({ failures, stoppedAt }: EndpointHealth, result: string): void {
    const isUp = failures === 0 && stoppedAt === undefined;
    // One event that fails for the first time may be to blame itself.
    const isDown = stoppedAt !== undefined || failures > 1 || (failures === 1 && !round.open);
    if (reportedDown ? !isUp : !isDown) return;
    reportedDown = isDown;
    events.endpointChanged({ endpoint: name, up: isUp, result });
  }

  return {
    async pass(stopping, cut) {
      const leasedAt = clock.monotonic();
      const lease = { endpoint: name, token, now: clock.now(), leaseMs: LEASE_MS, horizonMs: 2 * LEASE_MS };
      const leased = await ledger.leaseEndpoint(lease);
      health = leased;
      if (!leased) return false;
      reportedDown ||= leased.failures > 1 || leased.stoppedAt !== undefined;
      const waiting = await sendable(leased);
      let sent = 0;
      const mayStart = () =>
        health === leased && !stopping.aborted && clock.monotonic() - leasedAt < START_WITHIN_MS;
      const sendInTurn = async () => {
        while (mayStart()) {
          const next = waiting.shift();
          if (!next) return;
          sent += 1;
          await tryOnce(next, cut);
        }
      };
      const untried = waiting.find(({ attempts }) => attempts === 0);
      const keepsUp = !untried || clock.now() - untried.queuedAt < BACKLOG_MS;
      const parallel = leased.failures === 0 && keepsUp ? PARALLEL : 1;
      const ended = await Promise.allSettled(Array.from({ length: parallel }, sendInTurn));
      for (const each of ended) if (each.status === "rejected" && !cut.aborted) throw each.reason;
      return sent > 0;
    },
    release: () => ledger.releaseEndpoint(name, token),
  };
}
