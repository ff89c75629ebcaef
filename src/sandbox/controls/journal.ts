import type { TurnableClock } from "../turnable-clock.ts";
import type { Endpoint } from "../vendor/request.ts";

/** One call to the sandbox. Contains no name, ID number, order number, token or ticket. */
export interface JournalCall {
  /** Increases by one with each call. */
  id: number;
  endpoint: Endpoint;
  /** The header `x-sandbox-caller`, else address and port. */
  caller: string;
  /** Sandbox time, milliseconds since the Unix epoch. */
  startedAt: number;
  /** Undefined while the call is in flight. */
  endedAt?: number;
  /** The vendor's code; undefined if the response had none. */
  code?: string;
  /** The kind of fault applied to it. */
  fault?: string;
}

/** The latest calls. */
export interface Journal {
  enter(endpoint: Endpoint, caller: string): JournalCall;
  leave(call: JournalCall): void;
  /** Oldest first. */
  list(): readonly JournalCall[];
}

/** How many calls are kept: a quarter of an hour of manual clicking, and little memory under a load test. */
const MAX_CALLS = 500;

export function createJournal(clock: TurnableClock): Journal {
  let calls: JournalCall[] = [];
  let lastId = 0;
  return {
    enter(endpoint, caller) {
      lastId += 1;
      const call: JournalCall = { id: lastId, endpoint, caller, startedAt: clock.now() };
      calls.push(call);
      if (calls.length >= 2 * MAX_CALLS) calls = calls.slice(-MAX_CALLS);
      return call;
    },
    leave(call) {
      call.endedAt ??= clock.now();
    },
    list: () => calls.slice(-MAX_CALLS),
  };
}
