import type { Ledger } from "./ledger.ts";

/** What is asked of a ledger, as opposed to its lifetime. */
export type LedgerMethods = Omit<Ledger, "open" | "close" | "watch">;

export type LedgerMethod = keyof LedgerMethods;

/** Every operation; the compiler checks that none is missing. */
const METHODS = Object.keys({
  put: true,
  discard: true,
  find: true,
  list: true,
  claim: true,
  postpone: true,
  end: true,
  keepRequest: true,
  findRequest: true,
  position: true,
  endedAfter: true,
  sweep: true,
  counts: true,
  leaseEndpoint: true,
  releaseEndpoint: true,
  dueDeliveries: true,
  nextDueAt: true,
  settle: true,
  listDeliveries: true,
  redeliver: true,
  recover: true,
  endpoints: true,
} satisfies Record<LedgerMethod, true>) as LedgerMethod[];

/** Does an operation, wherever it is done. */
export type Ask = (op: LedgerMethod, args: readonly unknown[]) => Promise<unknown>;

/** LedgerMethods that are all done by `ask`. */
export const methodsBy = (ask: Ask): LedgerMethods =>
  Object.fromEntries(
    METHODS.map((op) => [op, (...args: unknown[]) => ask(op, args)]),
  ) as unknown as LedgerMethods;

/** Asks an implementation of the operations. */
export const askOf =
  (operations: LedgerMethods): Ask =>
  (op, args) =>
    (operations[op] as (...args: readonly unknown[]) => Promise<unknown>)(...args);
