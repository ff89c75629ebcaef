import { ErrorReason, ServiceError } from "../errors.ts";

/**
 * Load shedding: a fixed number of calls may run at once; the rest are rejected before any work is done for
 * them.
 */
export interface Admission {
  /** Reserves a slot; false if none is free. */
  enter(): boolean;
  /** Releases the slot. */
  leave(): void;
}

/** Under full load a call takes `capacity` divided by the process's throughput (calls per second). */
export function createAdmission(capacity: number): Admission {
  let inFlight = 0;
  return {
    enter() {
      if (inFlight >= capacity) return false;
      inFlight += 1;
      return true;
    },
    leave() {
      inFlight -= 1;
    },
  };
}

/** When a rejected caller should retry, milliseconds. */
const BUSY_MS = 1_000;
/**
 * One instance for all rejected calls, so that a rejection captures no stack trace.
 * perf: docs/performance.md#ready-made-errors
 */
export const OVERLOADED = new ServiceError(ErrorReason.OVERLOADED, "too many calls at once", {
  retryAfterMs: BUSY_MS,
});
