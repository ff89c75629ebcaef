/**
 * The ticket store: a compare-and-set register with a clock, and nothing more. The protocol over it is the pure
 * `transition` of `protocol/transition.ts`; memory, files and Redis each implement these few methods and pass one contract
 * suite (`test/tickets/store.contract.ts`).
 */
export interface TicketStore {
  /**
   * The register as its authoritative owner has it now (never a lagging copy), and that owner's clock.
   * Rejects if the store does not respond within its own timeout.
   */
  read(): Promise<StoreView>;
  /**
   * Writes `value` if the register still has `version`; true if it did. Durable once it resolves.
   * Rejects if the outcome is unknown: the write may or may not have happened, so read again.
   */
  compareAndSet(version: string, value: string): Promise<boolean>;
  /** Writes something that no process reads; rejects if the store accepts no writes. Absent if it always does. */
  probe?(): Promise<void>;
  /**
   * Calls `listener` soon after a change by any process, as a hint: hints may be lost, duplicated or late. Returns a
   * function that ends the watch. Never throws, even while the store is unreachable.
   */
  watch(listener: () => void): () => void;
  /** Starts connecting and returns at once: an unreachable store never delays the start. */
  open(): Promise<void>;
  /** Releases files, connections and timers. */
  close(): Promise<void>;
}

export interface StoreView {
  /** The register's content, JSON as in `protocol/state.ts`; undefined if nothing was ever written. */
  value: string | undefined;
  /** Identifies this content for `compareAndSet`; new with every write, never reused. */
  version: string;
  /** The store's clock, milliseconds. One clock for all processes that share the store; it may jump. */
  now: number;
}
