import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import { singleFlight } from "../lib/concurrency.ts";
import type { Part } from "../lib/lifecycle.ts";
import { derived } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";
import type { RefreshOutcome, TicketEvents } from "./events.ts";
import { createLeaseWatch } from "./lease.ts";
import { createOneRefresh } from "./one-refresh.ts";
import { createOperator, type TicketOperator } from "./operator.ts";
import { fingerprint } from "./pair.ts";
import { createHolder } from "./pair-cache.ts";
import { createLoop } from "./poll-loop.ts";
import type { Processes } from "./processes.ts";
import { isUrgent, needOf, waitMs } from "./protocol/refresh-reason.ts";
import { transition } from "./protocol/transition.ts";
import { createReader, type TicketReader } from "./reader.ts";
import { createRefresh } from "./refresh.ts";
import { createCalls, type TicketUpstream } from "./refresh-calls.ts";
import { createReports } from "./refresh-log.ts";
import type { Sealer } from "./sealer.ts";
import { createRegister, type View } from "./shared-state.ts";
import { createAlone, planAlone } from "./solo-refresh.ts";
import { type TicketStatus, ticketStatus } from "./status.ts";
import { createStoreHealth } from "./store-health.ts";
import { createObserver } from "./store-watcher.ts";
import type { TicketStore } from "./stores/store.ts";

export interface CoordinatorOptions {
  /** The current secret and, while it is being rotated, the next one. */
  secrets: () => readonly Secret[];
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
  const credentials = derived(secrets, (list) => list.map(fingerprint).join(" "));
  const stopping = new AbortController();
  const cutOff = new AbortController();
  const holder = createHolder(clock, timings, random);
  const health = createStoreHealth({ store, clock, refreshes, timings, events });
  const register = createRegister(store, clock, timings, options.protocol ?? transition, health.failed);
  const observer = createObserver({ register, holder, sealer, clock, health, events, timings });
  const watchLease = createLeaseWatch({ processes, register, events, timings });
  const reports = createReports({ clock, events, replica });
  const shared = {
    secrets,
    calls: createCalls({ secrets, upstream: options.upstream, clock, timings }),
    register,
    sealer,
    adopt: observer.adopt,
    clock,
    timings,
    stopping: cutOff.signal,
  };
  const refresh = createRefresh({ ...shared, credentials, random, replica, process: processes.own, events });
  const loop = createLoop({
    clock,
    step,
    retryMs: timings.pollMs,
    failed: (error) => events.loopFailed({ error }),
  });
  const patienceMs = timings.tokenTimeoutMs + timings.signTimeoutMs;
  const refreshing = createOneRefresh({ clock, loop, patienceMs, cutOff: () => cutOff.abort() });

  /** Looks at the store once. Also called by readers whose pair was refused; those who come at once share one look. */
  const look = singleFlight(() => observer.look(!refreshing.isRunning));

  /** Looks, starts a refresh if one is needed, and returns how long there is nothing to do, milliseconds. */
  async function step(): Promise<number> {
    const view = await look();
    const pollMs = timings.pollMs * (0.8 + 0.4 * random());
    if (!view || !refreshes || refreshing.isRunning || stopping.signal.aborted) return pollMs;
    const facts = observer.facts(view);
    const reason = needOf(view, facts, timings);
    const dueInMs = facts.dueMs - facts.ageMs;
    // Overdue without a reason: a pair that is for others to replace.
    if (!reason) return dueInMs > 0 ? Math.min(pollMs, dueInMs) : pollMs;
    holder.expectRotation();
    const due = dueInMs <= 0;
    const heldBackMs = waitMs(view, credentials(), due, timings);
    if (heldBackMs > 0) return Math.min(pollMs, heldBackMs, await watchLease(view));
    const { held } = holder;
    const atLeast = held?.pair.generation ?? 0;
    const urgent = isUrgent(view, facts, timings);
    const request = { view, atLeast, due, urgent, secretId: held?.secretId };
    const previous = view.state.published?.generation ?? 0;
    refreshing.begin(() => reports.watch({ reason, previous }, (report) => refresh(request, report)));
    return pollMs;
  }

  /** A refresh that only an operator asks for; a string says why it will not be made. */
  function refreshAlone(): Promise<RefreshOutcome> | string {
    if (!refreshes) return "this process leaves refreshing to others";
    if (refreshing.isRunning || stopping.signal.aborted)
      return "a refresh is under way, or the process is stopping";
    const request = planAlone(observer.view, holder.held, clock);
    if (typeof request === "string") return request;
    const previous = holder.held?.pair.generation ?? 0;
    const done = Promise.withResolvers<RefreshOutcome>();
    refreshing.begin(async () => {
      let settle: () => Promise<unknown> = async () => undefined;
      const outcome = await reports.watch({ reason: "alone", previous }, async (report) => {
        const result = await createAlone(shared)(request, report);
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
      held: holder.held,
      usable: holder.isUsable(),
      storeUp: observer.storeUp,
      storeSilentMs: observer.silentMs(),
      view: observer.view,
      last: reports.last,
      refreshing: refreshing.isRunning,
      loopSilentMs: loop.silentMs(),
      now: clock.monotonic(),
      floorMs: timings.floorMs,
      forcedWindowMs: timings.forcedWindowMs,
    });
  }

  const wake = () => loop.wake();
  /** How long failures, and a refresh under way, hold the next one back, milliseconds. */
  const heldBackMs = (view: View) => waitMs(view, credentials(), true, timings);
  const tickets = createReader({ holder, observer, register, look, loop, clock, timings, events });
  const unwatch: (() => void)[] = [];

  return {
    tickets,
    operator: createOperator({
      status,
      holder,
      register,
      look,
      wake,
      health,
      refreshAlone,
      refreshes,
      heldBackMs,
    }),

    async start() {
      unwatch.push(store.watch(wake));
      loop.start();
      const waited = new AbortController();
      await Promise.race([holder.next(), clock.sleep(START_WAIT_MS, waited.signal).catch(() => undefined)]);
      waited.abort();
    },

    /** Waits for a refresh under way, for as long as its calls may take. */
    async stop() {
      stopping.abort();
      for (const end of unwatch.splice(0)) end();
      await loop.stop();
      await refreshing.end();
    },
  };
}
