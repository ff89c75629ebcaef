/**
 * The ticket store: a compare-and-set register with a clock, and nothing more. The protocol over it is the pure
 * `transition` of `protocol/transition.ts`; memory, files and Redis each implement these few methods and pass one contract suite
 * (`test/tickets/store.contract.ts`).
 */
export interface TicketStore {
  /**
   * The register as its owner of truth holds it now (never a lagging copy), and that owner's clock.
   * Rejects when the store cannot answer within its own deadline.
   */
  read(): Promise<StoreView>;
  /**
   * Writes `value` if the register still has `version`; true if it did. Durable when it resolves.
   * Rejects when the outcome is unknown: the write may or may not have happened, so read again.
   */
  compareAndSet(version: string, value: string): Promise<boolean>;
  /** Writes something that no process reads; rejects when the store takes no writes. Absent where it always does. */
  probe?(): Promise<void>;
  /**
   * Calls `listener` soon after a change by anyone, as a hint: hints may be lost, doubled or late. Returns a function
   * that ends it. Never throws, also while the store is away.
   */
  watch(listener: () => void): () => void;
  /** Begins to connect and returns at once: a store that is away never holds up the start. */
  open(): Promise<void>;
  /** Lets go of files, connections and timers. */
  close(): Promise<void>;
}

export interface StoreView {
  /** The register's content, a JSON text of `protocol/state.ts`; undefined when nothing was ever written. */
  value: string | undefined;
  /** Identifies this content for `compareAndSet`; a new one after every write, never used again. */
  version: string;
  /** The store's clock, milliseconds. One clock for all who share the store; it may jump. */
  now: number;
}
