import { ErrorReason, ServiceError } from "../errors.ts";

/** Room for so many calls at once (load shedding): those inside stay fast, and the rest is refused before anything is done for it. */
export interface Admission {
  /** Takes a place; false when there is none. */
  enter(): boolean;
  /** Gives it back. */
  leave(): void;
}

/** How long a call takes under full load follows from `places`, divided by what the process gets done in a second. */
export function createAdmission(places: number): Admission {
  let taken = 0;
  return {
    enter() {
      if (taken >= places) return false;
      taken += 1;
      return true;
    },
    leave() {
      taken -= 1;
    },
  };
}

/** When to come back to a service that has too much to do, milliseconds. */
const BUSY_MS = 1_000;
/** One for all: a process that refuses much must spend little on it, and an error costs most by its stack. */
export const OVERLOADED = new ServiceError(ErrorReason.OVERLOADED, "too many calls at once", {
  retryAfterMs: BUSY_MS,
});
