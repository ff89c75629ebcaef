import { ErrorReason, reasonName, ServiceError } from "../errors.ts";
import type { ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";
import { orAborted } from "../lib/deadline.ts";
import type { Span } from "../telemetry/tracer.ts";
import { type Admission, OVERLOADED } from "./admission.ts";
import type { Caller, CallFacts, IncomingCall } from "./call.ts";
import { toServiceError } from "./failures.ts";

/** A finished call, for access log, metrics and audit trail. */
export interface CallFinished {
  method: string;
  door: string;
  requestId: string;
  /** The peer's address. */
  peer: string;
  /** The caller's name; "" if authentication failed or was not reached. */
  caller: string;
  durationMs: number;
  /** Undefined for success. */
  error: ServiceError | undefined;
  facts: CallFacts;
}

export interface OngoingCallOptions {
  admission: Admission;
  /** Max duration of a call, whatever the caller's own deadline, milliseconds; undefined: none. */
  maxDurationMs: number | undefined;
  clock: Clock;
  events: Pick<ServiceEvents, "callFinished">;
}

/** An admitted call, from its start to its access line. */
export interface OngoingCall {
  /** Records facts for access log, metrics and audit trail. */
  note: (facts: CallFacts) => void;
  /**
   * Resolves the caller. Gives up its slot while authentication needs the network, so that such waits do not
   * use up the capacity.
   */
  identify(caller: Caller | Promise<Caller>): Promise<Caller>;
  /** Records the error that ended the call and returns it as a ServiceError. */
  fail(thrown: unknown): ServiceError;
  /** Releases the slot and reports the call. Call exactly once. */
  finish(): void;
}

const timeLimitPassed = () =>
  new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "the service's own time limit passed");

/** Starts an admitted call; its scope ends by the service's own time limit at the latest. */
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
  if (maxDurationMs !== undefined) scope.endAfter(maxDurationMs, timeLimitPassed);

  async function waitFor(pending: Promise<Caller>): Promise<Caller> {
    admission.leave();
    admitted = false;
    const identified = await orAborted(pending, scope.signal);
    admitted = admission.enter();
    if (!admitted) throw OVERLOADED;
    return identified;
  }

  return {
    note: (more) => void Object.assign(facts, more),
    async identify(authenticated) {
      const identified = authenticated instanceof Promise ? await waitFor(authenticated) : authenticated;
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
