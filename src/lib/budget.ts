/** Overhead of an open request body beside its bytes, measured as process memory per open body, bytes. */
export const OPEN_BODY_BYTES = 32 * 1024;
/** Time for a whole request body on every listener, milliseconds. */
export const BODY_TIMEOUT_MS = 60_000;

/** A limited amount shared by several holders. */
export interface Budget {
  /** The amount in use by all shares. */
  readonly taken: number;
  /** An empty share. */
  open(): Share;
}

/** One holder's part of a budget. */
export interface Share {
  /** Takes `amount` more; false, and nothing is taken, if less than that is left. */
  take(amount: number): boolean;
  /** Returns everything taken. Idempotent. */
  release(): void;
}

/** A budget of `max`, in any unit. */
export function createBudget(max: number): Budget {
  let taken = 0;
  return {
    get taken() {
      return taken;
    },
    open() {
      let share = 0;
      return {
        take(amount) {
          if (taken + amount > max) return false;
          taken += amount;
          share += amount;
          return true;
        },
        release() {
          taken -= share;
          share = 0;
        },
      };
    },
  };
}
