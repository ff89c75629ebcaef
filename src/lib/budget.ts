/** What an open request body costs beside its bytes: the process's memory divided by their number, bytes. */
export const OPEN_BODY_BYTES = 32 * 1024;
/** Time for a whole request body on every listener, milliseconds. */
export const BODY_TIMEOUT_MS = 60_000;

/** An amount that many share: what one has taken, the others cannot. */
export interface Budget {
  /** How much of it is taken. */
  readonly taken: number;
  /** A share that grows with what its holder takes. */
  open(): Share;
}

/** One holder's part of a budget. */
export interface Share {
  /** Takes so much more; false, and nothing is taken, when there is not so much left. */
  take(amount: number): boolean;
  /** Gives back all that was taken. May be called again. */
  release(): void;
}

/** A budget of `most`, in whatever unit its holders count. */
export function createBudget(most: number): Budget {
  let taken = 0;
  return {
    get taken() {
      return taken;
    },
    open() {
      let own = 0;
      return {
        take(amount) {
          if (taken + amount > most) return false;
          taken += amount;
          own += amount;
          return true;
        },
        release() {
          taken -= own;
          own = 0;
        },
      };
    },
  };
}
