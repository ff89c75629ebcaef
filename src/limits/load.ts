/** Room for calls in this process. */
export interface Load {
  /** Takes the call in, or not; whoever is taken in must `leave`. */
  enter(): boolean;
  leave(): void;
}

/**
 * Takes in at most so many calls at once and refuses the rest, so that those inside stay fast (load shedding). How long a
 * call takes under full load follows: the number, divided by what the process gets done in a second.
 */
export function createLoad(mostInFlight: number): Load {
  let inFlight = 0;
  return {
    enter() {
      if (inFlight >= mostInFlight) return false;
      inFlight += 1;
      return true;
    },
    leave() {
      inFlight -= 1;
    },
  };
}
