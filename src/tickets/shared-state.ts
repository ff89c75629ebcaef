import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { Operation, TransitionStatus } from "./protocol/operations.ts";
import { EMPTY_STATE, parseState, type TicketState } from "./protocol/state.ts";
import type { transition } from "./protocol/transition.ts";
import type { TicketStore } from "./stores/store.ts";

/** The shared state as it was at one moment. */
export interface StateView {
  state: TicketState;
  /** The store's clock then. */
  now: number;
  /** Our monotonic clock just before the store was asked: the store's time is at least `now` that long ago. */
  askedAt: number;
  /** `newer`: written by a later release, to be left alone. `corrupt`: no state; reads as an empty one. */
  flaw?: "newer" | "corrupt";
}

export interface ApplyResult {
  status: TransitionStatus;
  /** With `acquire` and `ok`: the generation granted. */
  generation?: number;
  view: StateView;
}

/** The shared state behind the store: read it, or apply an operation to it atomically. */
export interface SharedState {
  /** Rejects when the store is away. */
  read(): Promise<StateView>;
  /** Rejects when the store is away or the state is of a later release; then the operation may or may not have been done. */
  apply(operation: Operation): Promise<ApplyResult>;
  /**
   * As `apply`, repeated for up to `forMs` milliseconds while the store is away; operations done twice count once.
   * Never rejects; undefined when the store stayed away, or once `stopping` aborts.
   */
  insist(operation: Operation, forMs: number, stopping: AbortSignal): Promise<ApplyResult | undefined>;
}

/** Every lost race means that another replica has got on, so this many in a row mean that something is broken. */
const MOST_RACES = 100;

/** The register of `store`, whose operations do what `protocol` says. A write that the store rejects is reported. */
export function createSharedState(
  store: TicketStore,
  clock: Clock,
  timings: TicketTimings,
  protocol: typeof transition,
  writeFailed: (error: unknown) => void = () => undefined,
): SharedState {
  async function readVersioned(): Promise<StateView & { version: string }> {
    const askedAt = clock.monotonic();
    const { value, version, now } = await store.read();
    const state = value === undefined ? EMPTY_STATE : parseState(value);
    if (typeof state === "string") return { state: EMPTY_STATE, now, askedAt, version, flaw: state };
    return { state, now, askedAt, version };
  }

  async function apply(operation: Operation): Promise<ApplyResult> {
    for (let races = 0; races < MOST_RACES; races++) {
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
