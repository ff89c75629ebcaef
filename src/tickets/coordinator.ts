import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import { singleFlight } from "../lib/concurrency.ts";
import type { Part } from "../lib/lifecycle.ts";
import { mapReloadable, type Reloadable } from "../lib/memoize.ts";
import { createPollLoop } from "../lib/poll-loop.ts";
import type { Secret } from "../lib/redacted.ts";
import type { RefreshOutcome, TicketEvents } from "./events.ts";
import { createLeaseWatch } from "./lease.ts";
import { createOneRefresh } from "./one-refresh.ts";
import { createOperator, type TicketOperator } from "./operator.ts";
import { fingerprint } from "./pair.ts";
import { createPairCache } from "./pair-cache.ts";
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
import { createStoreWatcher } from "./store-watcher.ts";
import type { TicketStore } from "./stores/store.ts";
import { createStoreHealth } from "./stores/store-health.ts";

export interface CoordinatorOptions {
  /** The current secret and, while it is being rotated, the next one. */
  secrets: Reloadable<readonly Secret[]>;
  upstream: TicketUpstream;
  store: TicketStore;
  sealer: Sealer;
  clock: Clock;
  random: () => number;
  timings: TicketTimings;
  /** Unique name of this process, never reused. */
  replica: string;
  /** Whether this process refreshes the pair, or only uses it. */
  refreshes: boolean;
  /** The processes of this machine. */
  processes: Processes;
  events: TicketEvents;
  /** The protocol; replaced only by tests, to prove that a broken one is noticed. */
  protocol?: typeof transition;
}

/** The ticket cache of one process. */
export interface Coordinator extends Required<Part> {
  tickets: TicketReader;
  operator: TicketOperator;
}

/** How long a start waits for the first pair before continuing without one, milliseconds. */
const START_WAIT_MS = 1_000;

/**
 * Keeps the pair fresh: polls the store, adopts newer pairs, restores what the store lost, and refreshes when needed and no
 * other process does. Any number of coordinators on one store make one token call per interval (ticket-cache.md 2).
 */
export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const { secrets, store, sealer, clock, random, timings, replica, refreshes, processes, events } = options;
  const credentials = mapReloadable(secrets, (list) => list.map(fingerprint).join(" "));
  const [stopping, cutOff] = [new AbortController(), new AbortController()];
  const cache = createPairCache(clock, timings, random);
  const health = createStoreHealth({ store, clock, refreshes, timings, events });
  const sharedState = createSharedState(store, clock, timings, options.protocol ?? transition, health.failed);
  const watcher = createStoreWatcher({ sharedState, cache, sealer, clock, health, events, timings });
  const endLeaseOfDeadProcess = createLeaseWatch({ processes, sharedState, events, timings });
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

  /** Polls the store once. Also called for requests whose pair was refused; concurrent calls share one poll. */
  const poll = singleFlight(() => watcher.poll(!refreshInProgress.isRunning));

  /** Polls, starts a refresh if one is needed, and returns the delay until the next step, milliseconds. */
  async function step(): Promise<number> {
    const view = await poll();
    const pollMs = timings.pollMs * (0.8 + 0.4 * random());
    if (!view || !refreshes || refreshInProgress.isRunning || stopping.signal.aborted) return pollMs;
    const facts = watcher.facts(view);
    const reason = refreshReason(view, facts, timings);
    const dueInMs = facts.dueMs - facts.ageMs;
    // Overdue without a reason: the pair is left to another installation or a later release.
    if (!reason) return dueInMs > 0 ? Math.min(pollMs, dueInMs) : pollMs;
    cache.expectRotation();
    const due = dueInMs <= 0;
    const delayMs = waitMs(view, credentials(), due, timings);
    if (delayMs > 0) return Math.min(pollMs, delayMs, await endLeaseOfDeadProcess(view));
    const { latest } = cache;
    const atLeast = latest?.pair.generation ?? 0;
    const urgent = isUrgent(view, facts, timings);
    const request = { view, atLeast, due, urgent, secretId: latest?.secretId };
    const previous = view.state.published?.generation ?? 0;
    refreshInProgress.begin(() => reports.watch({ reason, previous }, (report) => refresh(request, report)));
    return pollMs;
  }

  /** A refresh without the store, on an operator's request; a string is the reason for refusing it. */
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
  /** How long failures and a running refresh delay the next one, milliseconds. */
  const nextDelayMs = (view: StateView) => waitMs(view, credentials(), true, timings);
  const tickets = createReader({ cache, watcher, sharedState, poll, loop, clock, timings, events });
  let unwatch: (() => void) | undefined;

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
      nextDelayMs,
    }),

    async start() {
      unwatch = store.watch(wake);
      loop.start();
      const arrived = new AbortController();
      await Promise.race([cache.next(), clock.sleep(START_WAIT_MS, arrived.signal).catch(() => undefined)]);
      arrived.abort();
    },

    /** Waits for a running refresh, for at most as long as its calls may take. */
    async stop() {
      stopping.abort();
      unwatch?.();
      await loop.stop();
      await refreshInProgress.end();
    },
  };
}
