import type { TurnableClock } from "../turnable-clock.ts";
import type { Endpoint } from "../vendor/request.ts";

/** The backend's routes that the console calls through the sandbox. */
export const PROXIED = ["get_face_params", "get_result"] as const;

/** A call to the vendor, the SDK, or through the sandbox to the backend. */
export type CallName = Endpoint | (typeof PROXIED)[number];

/** One call to the sandbox. Contains no name, ID number, order number, token or ticket. */
export interface JournalCall {
  /** Increases by one with each call. */
  id: number;
  endpoint: CallName;
  /** The header `x-sandbox-caller`, else address and port. */
  caller: string;
  /** Sandbox time, milliseconds since the Unix epoch. */
  startedAt: number;
  /** Undefined while the call is in flight. */
  endedAt?: number;
  /** The HTTP status; undefined if no answer was sent. */
  status?: number;
  /** The vendor's or the backend's code; undefined if the response had none. */
  code?: string;
  /** The kind of fault applied to it. */
  fault?: string;
}

/** The latest calls. */
export interface Journal {
  enter<Name extends CallName>(endpoint: Name, caller: string): JournalCall & { endpoint: Name };
  leave(call: JournalCall): void;
  /** Oldest first. */
  list(): readonly JournalCall[];
  clear(): void;
}

/** How many calls are kept: a quarter of an hour of manual clicking, and little memory under a load test. */
const MAX_CALLS = 500;

export function createJournal(clock: TurnableClock): Journal {
  let calls: JournalCall[] = [];
  let lastId = 0;
  return {
    enter(endpoint, caller) {
      lastId += 1;
      const call = { id: lastId, endpoint, caller, startedAt: clock.now() };
      calls.push(call);
      if (calls.length >= 2 * MAX_CALLS) calls = calls.slice(-MAX_CALLS);
      return call;
    },
    leave(call) {
      call.endedAt ??= clock.now();
    },
    list: () => calls.slice(-MAX_CALLS),
    clear() {
      calls = [];
    },
  };
}
