import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { Operation, TransitionStatus } from "./protocol/operations.ts";
import { EMPTY_STATE, parseState, type TicketState } from "./protocol/state.ts";
import type { transition } from "./protocol/transition.ts";
import type { TicketStore } from "./stores/store.ts";

/** The shared state as it was at one moment. */
export interface StateView {
  state: TicketState;
  /** The store's clock at that moment. */
  now: number;
  /** Our monotonic clock just before the request, when the store's clock read at most `now`. */
  requestedAt: number;
  /** `newer`: written by a later release, to be left alone. `corrupt`: not a state; treated as empty. */
  flaw?: "newer" | "corrupt";
}

export interface ApplyResult {
  status: TransitionStatus;
  /** For `acquire` with `ok`: the generation granted. */
  generation?: number;
  view: StateView;
}

/** The shared state behind the store: read it, or apply an operation to it atomically. */
export interface SharedState {
  /** Rejects if the store is unreachable. */
  read(): Promise<StateView>;
  /** Rejects if the store is unreachable, with the outcome unknown, or if the state is a later release's. */
  apply(operation: Operation): Promise<ApplyResult>;
  /**
   * As `apply`, retried for up to `forMs` milliseconds while the store is unreachable; operations are idempotent.
   * Never rejects; undefined if the store stayed unreachable, or once `stopping` aborts.
   */
  insist(operation: Operation, forMs: number, stopping: AbortSignal): Promise<ApplyResult | undefined>;
}

/** Each lost race means that another replica made progress; this many in a row mean that something is broken. */
const MAX_RACES = 100;

/** The state in `store`, changed by `protocol`. Calls `writeFailed` when the store rejects a write. */
export function createSharedState(
  store: TicketStore,
  clock: Clock,
  timings: TicketTimings,
  protocol: typeof transition,
  writeFailed: (error: unknown) => void = () => undefined,
): SharedState {
  async function readVersioned(): Promise<StateView & { version: string }> {
    const requestedAt = clock.monotonic();
    const { value, version, now } = await store.read();
    const state = value === undefined ? EMPTY_STATE : parseState(value);
    if (typeof state === "string") return { state: EMPTY_STATE, now, requestedAt, version, flaw: state };
    return { state, now, requestedAt, version };
  }

  async function apply(operation: Operation): Promise<ApplyResult> {
    for (let races = 0; races < MAX_RACES; races++) {
      const view = await readVersioned();
      if (view.flaw === "newer") throw new Error("the stored state is of a later release");
      const { state, status, generation } = protocol(view.state, operation, view.now, timings);
      const done = { status, view: { ...view, state }, ...(generation !== undefined && { generation }) };
      if (state === view.state) return done;
      const written = store.compareAndSet(view.version, JSON.stringify(state));
      written.catch(writeFailed);
      if (await written) return done;
    }
    throw new Error("the store refuses every write");
  }

  async function insist(
    operation: Operation,
    forMs: number,
    stopping: AbortSignal,
  ): Promise<ApplyResult | undefined> {
    const until = clock.monotonic() + forMs;
    for (;;) {
      try {
        return await apply(operation);
      } catch {
        if (stopping.aborted || clock.monotonic() > until) return undefined;
        await clock.sleep(timings.pollMs / 10, stopping).catch(() => undefined);
      }
    }
  }

  return { read: readVersioned, apply, insist };
}
