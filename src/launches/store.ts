/**
 * Who is preparing which launch, and what came of it, for as long as a repeat may ask: shared by all replicas in Redis,
 * else kept by each process. Keys and tokens tell nothing about a person.
 */
export interface LaunchStore {
  /** Whether other processes see it. */
  readonly shared: boolean;
  /** Takes `key` for `token`, or prolongs that, unless another has it: then resolves to the other's token. */
  claim(key: string, token: string, lifeMs: number): Promise<string | undefined>;
  /** Gives the key up, if `token` still has it. */
  release(key: string, token: string): Promise<void>;
  /** Keeps what came of the launch `token`. */
  keep(token: string, outcome: string, lifeMs: number): Promise<void>;
  /** Undefined while nothing came of it, and when its life is over. */
  outcome(token: string): Promise<string | undefined>;
}
