import type { TicketTimings } from "../config/ticket-timings.ts";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Secret } from "../lib/redacted.ts";
import type { TicketEvents } from "./events.ts";
import type { PairCache } from "./pair-cache.ts";
import type { PollLoop } from "./poll-loop.ts";
import { doubtAgeMs, doubtWaitMs } from "./protocol/doubt.ts";
import type { ApplyResult, SharedState } from "./shared-state.ts";
import type { StoreWatcher } from "./store-watcher.ts";

/** What requests are signed with: a token and the SIGN ticket that was issued for it. */
export interface TicketPair {
  /** Rises with every rotation. */
  readonly generation: number;
  readonly accessToken: Secret;
  readonly signTicket: Secret;
}

/** The river of tickets as the handlers see it. */
export interface TicketReader {
  /** The pair to use now: one property read. Throws ServiceError TICKET_UNAVAILABLE when none can be used. */
  current(): TicketPair;
  /**
   * Whether the process slept, so that `current` may be dead without knowing; then `reread` first (ticket-cache.md 1,
   * case 23). False while all is well, store away or not.
   */
  isStale(): boolean;
  /** Reads the store, for half a second at most. Never rejects. */
  reread(): Promise<void>;
  /** Tells that the vendor accepted the pair. */
  accepted(pair: TicketPair): void;
  /**
   * Reports that the vendor refused the pair with `code`, and waits for a newer one; undefined when there is none in
   * time. The refresh is shared and goes on when `signal` aborts; then rejects with its reason.
   */
  renewed(pair: TicketPair, code: string, signal: AbortSignal): Promise<TicketPair | undefined>;
  /** Until when the pair's token certainly works, if nothing goes wrong, on the monotonic clock, milliseconds. */
  safeUntil(pair: TicketPair): number;
  /** Whether requests can be served, and if not, why. */
  readiness(): { ready: boolean; reason: string };
}

export interface ReaderOptions {
  cache: PairCache;
  watcher: StoreWatcher;
  sharedState: SharedState;
  /** Looks at the store, together with all who want that now. */
  poll: () => Promise<unknown>;
  /** Keeps the pair fresh; woken, it looks again at once. */
  loop: Pick<PollLoop, "wake" | "silentMs">;
  clock: Clock;
  timings: TicketTimings;
  events: TicketEvents;
}

/** A look that a request waits for, milliseconds (ticket-cache.md 1, case 23). */
const REREAD_MS = 500;

export function createReader(options: ReaderOptions): TicketReader {
  const { cache, watcher, sharedState, poll, loop, clock, timings, events } = options;
  const staleMs = timings.pollMs * 3;
  /** As long as the two calls of a refresh may take. */
  const renewalMs = timings.tokenTimeoutMs + timings.signTimeoutMs;
  const rejectionMs = timings.overlapMs / 2;
  let rejectedAt = Number.NEGATIVE_INFINITY;
  let acceptedAt = Number.NEGATIVE_INFINITY;
  let invalidation: { generation: number; done: Promise<ApplyResult> } | undefined;

  /** One conditional invalidation, however many requests were refused at once. */
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
    const known = newerThan(pair);
    if (known) return known;
    const { view } = await invalidate(pair.generation, code);
    loop.wake();
    if (doubtWaitMs(view.state, view.now, timings.floorMs) > renewalMs) return undefined;
    await arrival;
    return newerThan(pair);
  }

  /** Why there is no pair to use. */
  const absence = () =>
    watcher.obstacle ?? (cache.latest ? "the ticket pair has expired" : "there is no ticket pair yet");

  /** How long the pair in hand has been in doubt, and the vendor has not accepted it since, milliseconds. */
  function doubtfulMs({ generation }: TicketPair, now: number): number {
    const { view } = watcher;
    if (!view?.state.doubt || view.state.doubt.upTo < generation) return 0;
    const doubtMs = doubtAgeMs(view.state, view.now + (now - view.askedAt));
    // The old token works on for an overlap; one that is accepted after that was not replaced.
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
