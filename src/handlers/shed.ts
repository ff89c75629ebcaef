import { ErrorReason, ServiceError } from "../errors.ts";
import type { CallFinished, Pipeline } from "./pipeline.ts";

export interface ShedOptions {
  /** Most calls at once; those beyond are refused. */
  mostInFlight: number;
  events: { callFinished(call: CallFinished): void };
}

/** When to come back to a service that has too much to do, milliseconds. */
const BUSY_MS = 1_000;
/** One for all: whoever refuses much must spend little on it, and an error costs most by its stack. */
const OVERLOADED = new ServiceError(ErrorReason.OVERLOADED, "too many calls at once", {
  retryAfterMs: BUSY_MS,
});

/**
 * The same pipeline for at most so many calls at once (load shedding): those inside stay fast, and the rest is refused
 * before anything is done for it. How long a call takes under full load follows: the number, divided by what the process
 * gets done in a second.
 */
export function shed(pipeline: Pipeline, { mostInFlight, events }: ShedOptions): Pipeline {
  let inFlight = 0;

  return (method) => {
    const admitted = pipeline(method);
    return async (request, call) => {
      if (inFlight >= mostInFlight) {
        const { door, requestId, peer } = call;
        const finished = { method: method.name, door, requestId, peer, caller: "", durationMs: 0, facts: {} };
        events.callFinished({ ...finished, error: OVERLOADED });
        throw OVERLOADED;
      }
      inFlight += 1;
      try {
        return await admitted(request, call);
      } finally {
        inFlight -= 1;
      }
    };
  };
}
