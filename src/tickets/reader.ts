import type { TicketTimings } from "../config/ticket-timings.ts";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { PollLoop } from "../lib/poll-loop.ts";
import type { Secret } from "../lib/redacted.ts";
import type { TicketEvents } from "./events.ts";
import type { PairCache } from "./pair-cache.ts";
import { doubtAgeMs, doubtWaitMs } from "./protocol/doubt.ts";
import type { ApplyResult, SharedState } from "./shared-state.ts";
import type { StoreWatcher } from "./store-watcher.ts";

/** What requests are signed with: a token and the SIGN ticket issued for it. */
export interface TicketPair {
  /** Rises with every rotation. */
  readonly generation: number;
  readonly accessToken: Secret;
  readonly signTicket: Secret;
}

/** The ticket cache as the handlers see it. */
export interface TicketReader {
  /** The pair to use now: one property read. Throws ServiceError TICKET_UNAVAILABLE if none is usable. */
  current(): TicketPair;
  /**
   * Whether the process was suspended, so that `current` may be dead unnoticed; then call `reread` first (ticket-cache.md 1,
   * case 23). False in normal operation, even while the store is unreachable.
   */
  isStale(): boolean;
  /** Polls the store, for half a second at most. Never rejects. */
  reread(): Promise<void>;
  /** Records that the vendor accepted the pair. */
  accepted(pair: TicketPair): void;
  /**
   * Reports that the vendor refused the pair with `code`, and waits for a newer one; undefined if none arrives in time.
   * Rejects with the signal's reason when it aborts; the refresh itself is shared and continues.
   */
  renewed(pair: TicketPair, code: string, signal: AbortSignal): Promise<TicketPair | undefined>;
  /** Until when the pair's token is safe to use, barring faults, on the monotonic clock, milliseconds. */
  safeUntil(pair: TicketPair): number;
  /**
   * The SIGN tickets of the last hour that this process has had, the current one first: the vendor signs what it sends through
   * a browser with one of them (protocol.md 6.5).
   */
  signTickets(): readonly Secret[];
  /** Whether requests can be served, and if not, why. */
  readiness(): { ready: boolean; reason: string };
}

export interface ReaderOptions {
  cache: PairCache;
  watcher: StoreWatcher;
  sharedState: SharedState;
  /** Polls the store; concurrent calls share one poll. */
  poll: () => Promise<unknown>;
  /** The loop that keeps the pair fresh; when woken it polls at once. */
  loop: Pick<PollLoop, "wake" | "silentMs">;
  clock: Clock;
  timings: TicketTimings;
  events: TicketEvents;
}

/** The longest that a request waits for a poll, milliseconds (ticket-cache.md 1, case 23). */
const REREAD_MS = 500;

export function createReader(options: ReaderOptions): TicketReader {
  const { cache, watcher, sharedState, poll, loop, clock, timings, events } = options;
  const staleMs = timings.pollMs * 3;
  /** The longest that the two calls of a refresh may take. */
  const renewalMs = timings.tokenTimeoutMs + timings.signTimeoutMs;
  const rejectionMs = timings.overlapMs / 2;
  let rejectedAt = Number.NEGATIVE_INFINITY;
  let acceptedAt = Number.NEGATIVE_INFINITY;
  let invalidation: { generation: number; done: Promise<ApplyResult> } | undefined;

  /** One conditional invalidation, however many requests are refused at once. */
  function invalidate(generation: number, code: string): Promise<ApplyResult> {
    if (invalidation?.generation === generation) return invalidation.done;
    const done = sharedState.apply({ kind: "invalidate", generation, by: "refusal" });
    invalidation = { generation, done };
    const forget = () => {
      if (invalidation?.done === done) invalidation = undefined;
    };
    done.then(({ status }) => {
      if (status === "ok") events.foreignRotation({ generation, code, ageMs: cache.ageMs() });
      forget();
    }, forget);
    return done;
  }

  function newerThan({ generation }: TicketPair): TicketPair | undefined {
    const pair = cache.isUsable() ? cache.latest?.pair : undefined;
    return pair && pair.generation > generation ? pair : undefined;
  }

  async function renewal(pair: TicketPair, code: string): Promise<TicketPair | undefined> {
    const arrival = cache.next();
    await poll();
    const polled = newerThan(pair);
    if (polled) return polled;
    const { view } = await invalidate(pair.generation, code);
    loop.wake();
    if (doubtWaitMs(view.state, view.now, timings.floorMs) > renewalMs) return undefined;
    await arrival;
    return newerThan(pair);
  }

  /** Why there is no usable pair. */
  const absence = () =>
    watcher.obstacle ?? (cache.latest ? "the ticket pair has expired" : "there is no ticket pair yet");

  /** How long the cached pair has been in doubt without being accepted by the vendor since, milliseconds. */
  function doubtfulMs({ generation }: TicketPair, now: number): number {
    const { view } = watcher;
    if (!view?.state.doubt || view.state.doubt.upTo < generation) return 0;
    const doubtMs = doubtAgeMs(view.state, view.now + (now - view.requestedAt));
    // A replaced token works for one overlap longer; one that is accepted after that was not replaced.
    return now - acceptedAt < doubtMs - timings.overlapMs ? 0 : doubtMs;
  }

  return {
    current() {
      const pair = cache.usable();
      if (pair) return pair;
      throw new ServiceError(ErrorReason.TICKET_UNAVAILABLE, absence(), { retryAfterMs: timings.pollMs });
    },

    isStale: () => watcher.silentMs() > staleMs,

    async reread() {
      events.suspended({ silentMs: watcher.silentMs() });
      await withDeadline(clock, REREAD_MS, poll).catch(() => undefined);
    },

    accepted({ generation }) {
      if (generation === cache.latest?.pair.generation) acceptedAt = clock.monotonic();
    },

    async renewed(pair, code, signal) {
      events.pairRejected({ generation: pair.generation, code });
      if (pair.generation === cache.latest?.pair.generation) rejectedAt = clock.monotonic();
      try {
        return newerThan(pair) ?? (await withDeadline(clock, renewalMs, () => renewal(pair, code), signal));
      } catch {
        signal.throwIfAborted();
        return undefined;
      }
    },

    safeUntil: (pair) => cache.safeUntil(pair),
    signTickets: () => cache.signTickets(),

    readiness() {
      const now = clock.monotonic();
      if (loop.silentMs() > staleMs * 2) return { ready: false, reason: "the refresh loop has stopped" };
      const pair = cache.usable();
      if (!pair) return { ready: false, reason: absence() };
      if (rejectedAt > acceptedAt && rejectedAt > cache.adoptedAt && now - rejectedAt < rejectionMs) {
        return { ready: false, reason: "the vendor refuses the ticket pair" };
      }
      if (doubtfulMs(pair, now) > timings.overlapMs) {
        return {
          ready: false,
          reason: "the ticket pair has been in doubt for longer than it can be trusted",
        };
      }
      return { ready: true, reason: "a usable ticket pair is held" };
    },
  };
}
