import { ErrorReason, reasonName, ServiceError } from "../errors.ts";
import type { ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";
import { orAborted } from "../lib/deadline.ts";
import type { Span } from "../telemetry/tracer.ts";
import { type Admission, OVERLOADED } from "./admission.ts";
import type { Caller, CallFacts, IncomingCall } from "./call.ts";
import { toServiceError } from "./failures.ts";

/** One finished call, for the access line, the metrics and the audit trail. */
export interface CallFinished {
  method: string;
  door: string;
  requestId: string;
  /** The peer's address. */
  peer: string;
  /** The caller's name; "" where none was admitted. */
  caller: string;
  durationMs: number;
  /** Undefined for success. */
  error: ServiceError | undefined;
  facts: CallFacts;
}

export interface OngoingCallOptions {
  /** Room for calls under way. */
  admission: Admission;
  /** Time for a call, also when the caller gives none or a longer one, milliseconds. */
  maxDurationMs: number;
  clock: Clock;
  events: Pick<ServiceEvents, "callFinished">;
}

/** One admitted call, from its beginning to its line in the log. */
export interface OngoingCall {
  /** Facts for the access line, the metrics and the audit trail. */
  note: (facts: CallFacts) => void;
  /** The caller, once known. Without a place in the room while another server is asked: waiting for that must not fill it. */
  identify(caller: Caller | Promise<Caller>): Promise<Caller>;
  /** Whatever ended the call, as a ServiceError. */
  fail(thrown: unknown): ServiceError;
  /** Frees the place and reports the call. Exactly once. */
  finish(): void;
}

const overtime = () => new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "the service's own time limit passed");

/** Begins a call that has been admitted; its scope ends after the service's own time limit at the latest. */
export function beginCall(
  method: string,
  { door, requestId, peer, scope }: IncomingCall,
  span: Span,
  { admission, maxDurationMs, clock, events }: OngoingCallOptions,
): OngoingCall {
  const startedAt = clock.monotonic();
  const facts: CallFacts = {};
  let caller = "";
  let error: ServiceError | undefined;
  let admitted = true;
  scope.endAfter(maxDurationMs, overtime);

  async function waitFor(asked: Promise<Caller>): Promise<Caller> {
    admission.leave();
    admitted = false;
    const identified = await orAborted(asked, scope.signal);
    admitted = admission.enter();
    if (!admitted) throw OVERLOADED;
    return identified;
  }

  return {
    note: (noted) => void Object.assign(facts, noted),
    async identify(asked) {
      const identified = asked instanceof Promise ? await waitFor(asked) : asked;
      caller = identified.name;
      return identified;
    },
    fail(thrown) {
      error = toServiceError(thrown);
      return error;
    },
    finish() {
      scope.release();
      if (admitted) admission.leave();
      const durationMs = clock.monotonic() - startedAt;
      events.callFinished({ method, door, requestId, peer: peer.address, caller, durationMs, error, facts });
      const outcome = error ? reasonName(error.reason) : "OK";
      span.set({ outcome });
      if (error) span.fail(outcome);
    },
  };
}
