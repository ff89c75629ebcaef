import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import { singleFlight } from "../lib/concurrency.ts";
import type { Part } from "../lib/lifecycle.ts";
import { mapReloadable, type Reloadable } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";
import type { RefreshOutcome, TicketEvents } from "./events.ts";
import { createLeaseWatch } from "./lease.ts";
import { createOneRefresh } from "./one-refresh.ts";
import { createOperator, type TicketOperator } from "./operator.ts";
import { fingerprint } from "./pair.ts";
import { createPairCache } from "./pair-cache.ts";
import { createPollLoop } from "./poll-loop.ts";
import type { Processes } from "./processes.ts";
import { isUrgent, refreshReason, waitMs } from "./protocol/refresh-reason.ts";
import { transition } from "./protocol/transition.ts";
import { createReader, type TicketReader } from "./reader.ts";
import { createRefresh } from "./refresh.ts";
import { createRefreshCalls, type TicketUpstream } from "./refresh-calls.ts";
import { createRefreshLog } from "./refresh-log.ts";
import type { Sealer } from "./sealer.ts";
import { createSharedState, type StateView } from "./shared-state.ts";
import { createSoloRefresh, planSoloRefresh } from "./solo-refresh.ts";
import { type TicketStatus, ticketStatus } from "./status.ts";
import { createStoreHealth } from "./store-health.ts";
import { createStoreWatcher } from "./store-watcher.ts";
import type { TicketStore } from "./stores/store.ts";

export interface CoordinatorOptions {
  /** The current secret and, while it is being rotated, the next one. */
  secrets: Reloadable<readonly Secret[]>;
  upstream: TicketUpstream;
  store: TicketStore;
  sealer: Sealer;
  clock: Clock;
  random: () => number;
  timings: TicketTimings;
  /** A name of this process that no other has, now or later. */
  replica: string;
  /** Whether this process refreshes, or only uses what others keep fresh. */
  refreshes: boolean;
  /** Who else runs on this machine. */
  processes: Processes;
  events: TicketEvents;
  /** The protocol; replaced by tests only, to see that a broken one is noticed. */
  protocol?: typeof transition;
}

/** The ticket cache of one process. */
export interface Coordinator extends Required<Part> {
  tickets: TicketReader;
  operator: TicketOperator;
}

/** How long a start waits for a first pair before it goes on without, milliseconds. */
const START_WAIT_MS = 1_000;

/**
 * Keeps the pair fresh: polls the store, adopts what is newer, gives a store back what it lost, and refreshes when that
 * is needed and nobody else does. Any number of these on one store make one token call per interval (ticket-cache.md 2).
 */
export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const { secrets, store, sealer, clock, random, timings, replica, refreshes, processes, events } = options;
  const credentials = mapReloadable(secrets, (list) => list.map(fingerprint).join(" "));
  const stopping = new AbortController();
  const cutOff = new AbortController();
  const cache = createPairCache(clock, timings, random);
  const health = createStoreHealth({ store, clock, refreshes, timings, events });
  const sharedState = createSharedState(store, clock, timings, options.protocol ?? transition, health.failed);
  const watcher = createStoreWatcher({ sharedState, cache, sealer, clock, health, events, timings });
  const watchLease = createLeaseWatch({ processes, sharedState, events, timings });
  const reports = createRefreshLog({ clock, events, replica });
  const shared = {
    secrets,
    calls: createRefreshCalls({ secrets, upstream: options.upstream, clock, timings }),
    sharedState,
    sealer,
    adopt: watcher.adopt,
    clock,
    timings,
    stopping: cutOff.signal,
  };
  const refresh = createRefresh({ ...shared, credentials, random, replica, process: processes.own, events });
  const loop = createPollLoop({
    clock,
    step,
    retryMs: timings.pollMs,
    failed: (error) => events.loopFailed({ error }),
  });
  const patienceMs = timings.tokenTimeoutMs + timings.signTimeoutMs;
  const refreshInProgress = createOneRefresh({ clock, loop, patienceMs, cutOff: () => cutOff.abort() });

  /** Looks at the store once. Also called by readers whose pair was refused; those who come at once share one look. */
  const poll = singleFlight(() => watcher.poll(!refreshInProgress.isRunning));

  /** Looks, starts a refresh if one is needed, and returns how long there is nothing to do, milliseconds. */
  async function step(): Promise<number> {
    const view = await poll();
    const pollMs = timings.pollMs * (0.8 + 0.4 * random());
    if (!view || !refreshes || refreshInProgress.isRunning || stopping.signal.aborted) return pollMs;
    const facts = watcher.facts(view);
    const reason = refreshReason(view, facts, timings);
    const dueInMs = facts.dueMs - facts.ageMs;
    // Overdue without a reason: a pair that is for others to replace.
    if (!reason) return dueInMs > 0 ? Math.min(pollMs, dueInMs) : pollMs;
    cache.expectRotation();
    const due = dueInMs <= 0;
    const heldBackMs = waitMs(view, credentials(), due, timings);
    if (heldBackMs > 0) return Math.min(pollMs, heldBackMs, await watchLease(view));
    const { latest } = cache;
    const atLeast = latest?.pair.generation ?? 0;
    const urgent = isUrgent(view, facts, timings);
    const request = { view, atLeast, due, urgent, secretId: latest?.secretId };
    const previous = view.state.published?.generation ?? 0;
    refreshInProgress.begin(() => reports.watch({ reason, previous }, (report) => refresh(request, report)));
    return pollMs;
  }

  /** A refresh that only an operator asks for; a string says why it will not be made. */
  function refreshSolo(): Promise<RefreshOutcome> | string {
    if (!refreshes) return "this process leaves refreshing to others";
    if (refreshInProgress.isRunning || stopping.signal.aborted)
      return "a refresh is under way, or the process is stopping";
    const request = planSoloRefresh(watcher.view, cache.latest, clock);
    if (typeof request === "string") return request;
    const previous = cache.latest?.pair.generation ?? 0;
    const done = Promise.withResolvers<RefreshOutcome>();
    refreshInProgress.begin(async () => {
      let settle: () => Promise<unknown> = async () => undefined;
      const outcome = await reports.watch({ reason: "alone", previous }, async (report) => {
        const result = await createSoloRefresh(shared)(request, report);
        ({ settle } = result);
        return result.outcome;
      });
      done.resolve(outcome);
      await settle();
      return outcome;
    });
    return done.promise;
  }

  function status(): TicketStatus {
    const { ready, reason } = tickets.readiness();
    return ticketStatus({
      replica,
      refreshes,
      ready,
      reason,
      cached: cache.latest,
      usable: cache.isUsable(),
      storeUp: watcher.storeUp,
      storeSilentMs: watcher.silentMs(),
      view: watcher.view,
      last: reports.last,
      refreshing: refreshInProgress.isRunning,
      loopSilentMs: loop.silentMs(),
      now: clock.monotonic(),
      floorMs: timings.floorMs,
      forcedWindowMs: timings.forcedWindowMs,
    });
  }

  const wake = () => loop.wake();
  /** How long failures, and a refresh under way, hold the next one back, milliseconds. */
  const heldBackMs = (view: StateView) => waitMs(view, credentials(), true, timings);
  const tickets = createReader({ cache, watcher, sharedState, poll, loop, clock, timings, events });
  const unwatch: (() => void)[] = [];

  return {
    tickets,
    operator: createOperator({
      status,
      cache,
      sharedState,
      poll,
      wake,
      health,
      refreshSolo,
      refreshes,
      heldBackMs,
    }),

    async start() {
      unwatch.push(store.watch(wake));
      loop.start();
      const waited = new AbortController();
      await Promise.race([cache.next(), clock.sleep(START_WAIT_MS, waited.signal).catch(() => undefined)]);
      waited.abort();
    },

    /** Waits for a refresh under way, for as long as its calls may take. */
    async stop() {
      stopping.abort();
      for (const end of unwatch.splice(0)) end();
      await loop.stop();
      await refreshInProgress.end();
    },
  };
}
