/**
 * Claims on launches in preparation, outcomes of finished ones, kept for as long as a repeat may come, and verification links:
 * shared by all replicas in Redis or PostgreSQL, otherwise per process. Keys may name a person: a store that others can read
 * hides them. Tokens reveal nothing; what is kept under them is sealed there.
 */
export interface LaunchStore {
  /** Whether other processes share it. */
  readonly shared: boolean;
  /** Claims `key` for `token`, or extends the claim; if another token owns it, resolves to that token. */
  claim(key: string, token: string, lifeMs: number): Promise<string | undefined>;
  /** Releases the key if `token` still owns it. */
  release(key: string, token: string): Promise<void>;
  /** Stores the outcome of launch `token`. */
  keep(token: string, outcome: string, lifeMs: number): Promise<void>;
  /** Undefined while there is no outcome, and after it has expired. */
  outcome(token: string): Promise<string | undefined>;
  /**
   * Replaces what is kept under `token` by what `next` makes of it, atomically: if another process was faster, `next` is asked
   * again. Undefined from `next` leaves it as it is. Resolves to what is kept then.
   */
  change(token: string, next: (kept: string | undefined) => Kept | undefined): Promise<string | undefined>;
  /** Deletes what is kept under `token`. */
  erase(token: string): Promise<void>;
}

/** A text to keep, and for how long, milliseconds. */
export interface Kept {
  text: string;
  lifeMs: number;
}
