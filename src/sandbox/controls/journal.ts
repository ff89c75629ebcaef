import type { TurnableClock } from "../turnable-clock.ts";
import type { Endpoint } from "../vendor/request.ts";

/** One call as the sandbox saw it. It holds no name, ID number, order number, token or ticket. */
export interface JournalCall {
  /** Rises by one with each call. */
  id: number;
  endpoint: Endpoint;
  /** The header `x-sandbox-caller`, else address and port. */
  caller: string;
  /** Sandbox time, milliseconds since the Unix epoch. */
  startedAt: number;
  /** Undefined while the call is in flight. */
  endedAt?: number;
  /** The vendor's code; undefined where none was answered. */
  code?: string;
  /** The kind of the fault that hit it. */
  fault?: string;
}

/** The latest calls. */
export interface Journal {
  enter(endpoint: Endpoint, caller: string): JournalCall;
  leave(call: JournalCall): void;
  /** Oldest first. */
  list(): readonly JournalCall[];
}

/** How many calls are remembered: enough to see a quarter of an hour of a person's clicking, and little for a load test. */
const MOST_KEPT = 500;

export function createJournal(clock: TurnableClock): Journal {
  let calls: JournalCall[] = [];
  let lastId = 0;
  return {
    enter(endpoint, caller) {
      lastId += 1;
      const call: JournalCall = { id: lastId, endpoint, caller, startedAt: clock.now() };
      calls.push(call);
      if (calls.length >= 2 * MOST_KEPT) calls = calls.slice(-MOST_KEPT);
      return call;
    },
    leave(call) {
      call.endedAt ??= clock.now();
    },
    list: () => calls.slice(-MOST_KEPT),
  };
}
