import type { TicketTimings } from "../domain/timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { Part } from "../lib/lifecycle.ts";
import type { Secret } from "../lib/secret.ts";
import { singleFlight } from "../lib/single-flight.ts";
import { createCalls, type TicketUpstream } from "./calls.ts";
import { createHolder } from "./held.ts";
import { needOf, waitMs } from "./need.ts";
import { createObserver } from "./observer.ts";
import { fingerprint } from "./pair.ts";
import { createReader, type TicketReader } from "./reader.ts";
import { createRefresh } from "./refresh.ts";
import { createRegister } from "./register.ts";
import type { Sealer } from "./sealer.ts";
import type { TicketStore } from "./store.ts";
import type { TicketEvents } from "./ticket-events.ts";

export interface CoordinatorOptions {
  /** The current secret and, while it is being rotated, the next one. */
  secrets: readonly Secret[];
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
  events: TicketEvents;
}

/** The ticket cache of one process. */
export interface Coordinator extends Required<Part> {
  tickets: TicketReader;
}

/** A ready-made reason to end a sleep. */
const WOKEN = new Error("woken");

/** How long a start waits for a first pair before it goes on without, milliseconds. */
const START_WAIT_MS = 1_000;

/**
 * Keeps the pair fresh: polls the store, adopts what is newer, gives a store back what it lost, and refreshes when that
 * is needed and nobody else does. Any number of these on one store make one token call per interval (ticket-cache.md 2).
 */
export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const { secrets, store, sealer, clock, random, timings, replica, refreshes, events } = options;
  const credentials = secrets.map(fingerprint).join(" ");
  const stopping = new AbortController();
  const cutOff = new AbortController();
  const holder = createHolder(clock, timings, random);
  const register = createRegister(store, clock, timings);
  const observer = createObserver({ register, holder, sealer, clock, events });
  const refresh = createRefresh({
    secrets,
    credentials,
    calls: createCalls({ secrets, upstream: options.upstream, clock, timings }),
    register,
    sealer,
    adopt: observer.adopt,
    clock,
    random,
    timings,
    replica,
    events,
    stopping: cutOff.signal,
  });

  let hinted = false;
  let sleeping = new AbortController();
  let refreshing: Promise<void> | undefined;
  let looping: Promise<void> | undefined;

  function wake(): void {
    hinted = true;
    sleeping.abort(WOKEN);
  }

  /** Looks at the store once. Also called by readers whose pair was refused; those who come at once share one look. */
  const look = singleFlight(() => observer.look(refreshing === undefined));

  /** Looks, starts a refresh if one is needed, and returns how long there is nothing to do, milliseconds. */
  async function step(): Promise<number> {
    const view = await look();
    const pollMs = timings.pollMs * (0.8 + 0.4 * random());
    if (!view || !refreshes || refreshing || stopping.signal.aborted) return pollMs;
    const facts = observer.facts(view);
    const reason = needOf(view, facts);
    if (!reason) return Math.min(pollMs, Math.max(0, facts.dueMs - facts.ageMs));
    holder.expectRotation();
    const due = facts.ageMs >= facts.dueMs;
    const heldBackMs = waitMs(view, credentials, due, timings.floorMs);
    if (heldBackMs > 0) return Math.min(pollMs, heldBackMs);
    const { held } = holder;
    const atLeast = held?.pair.generation ?? 0;
    const urgent = facts.ageMs > facts.lifeMs * 0.75;
    refreshing = refresh({ view, reason, atLeast, due, urgent, secretId: held?.secretId }).then((outcome) => {
      refreshing = undefined;
      if (outcome !== "store") wake();
    });
    return pollMs;
  }

  /** Ends with the process only: whatever a step throws, there is a next one. */
  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      sleeping = new AbortController();
      hinted = false;
      const restMs = await step().catch((error: unknown) => {
        events.loopFailed({ error });
        return timings.pollMs;
      });
      if (hinted || stopping.signal.aborted) continue;
      await clock.sleep(restMs, sleeping.signal).catch(() => undefined);
    }
  }

  const unwatch: (() => void)[] = [];

  return {
    tickets: createReader({ holder, observer, register, look, wake, clock, timings, events }),

    async start() {
      unwatch.push(store.watch(wake));
      looping = loop();
      const waited = new AbortController();
      await Promise.race([holder.next(), clock.sleep(START_WAIT_MS, waited.signal).catch(() => undefined)]);
      waited.abort();
    },

    /** Waits for a refresh under way, whose token would otherwise be lost, for as long as its lease. */
    async stop() {
      stopping.abort();
      wake();
      for (const end of unwatch.splice(0)) end();
      await looping;
      if (!refreshing) return;
      const done = new AbortController();
      void clock.sleep(timings.leaseMs / 2, done.signal).then(
        () => cutOff.abort(),
        () => undefined,
      );
      await refreshing;
      done.abort();
    },
  };
}
