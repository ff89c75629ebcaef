import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock } from "../lib/clock.ts";

export interface LoadOptions {
  /** Most calls under way at once in this process. */
  mostInFlight: number;
  clock: Clock;
}

/** Whether this process can take another call and answer it in time. */
export interface Load {
  /** Takes the call in, or not; whoever is taken in must `leave`. */
  enter(): boolean;
  leave(): void;
  readonly inFlight: number;
}

/** A loop that is this far behind would answer nobody in time, milliseconds; looked at this often. */
const MOST_DELAY_MS = 200;
const SAMPLE_MS = 500;

/** Refuses work beyond what can be done in time, so that the calls that were taken in stay fast (load shedding). */
export function createLoad({ mostInFlight, clock }: LoadOptions): Load {
  const delays = monitorEventLoopDelay({ resolution: 20 });
  delays.enable();
  let sampledAt = clock.monotonic();
  let behind = false;
  let inFlight = 0;

  /** Looked at by the calls themselves, since who has no calls need not know. */
  function isBehind(): boolean {
    const now = clock.monotonic();
    if (now - sampledAt < SAMPLE_MS) return behind;
    sampledAt = now;
    // The median, so that one long pause does not refuse those who come after it.
    behind = delays.percentile(50) / 1e6 > MOST_DELAY_MS;
    delays.reset();
    return behind;
  }

  return {
    enter() {
      // One always, or a process that was behind would never look again.
      if (inFlight > 0 && (inFlight >= mostInFlight || isBehind())) return false;
      inFlight += 1;
      return true;
    },
    leave() {
      inFlight -= 1;
    },
    get inFlight() {
      return inFlight;
    },
  };
}
