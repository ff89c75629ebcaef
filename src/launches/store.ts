/**
 * Claims on launches in preparation and outcomes of finished ones, kept for as long as a repeat may come:
 * shared by all replicas in Redis, otherwise per process. Keys may name a person: a store that others can read
 * hides them. Tokens reveal nothing.
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
}
