import { OperatorError, StoreError } from "../errors.ts";
import type { LedgerMethod } from "./methods.ts";

/** What the ledger's thread is started with. */
export interface ThreadData {
  /** The database's file. */
  file: string;
  register: string;
}

/** What is asked of the thread. */
export interface Question {
  id: number;
  op: LedgerMethod | "open" | "close";
  args: readonly unknown[];
  /** Wall-clock milliseconds; the asker gives up at this time. */
  until: number;
}

/** What the thread says. */
export type Said = "hint" | Answer;

/** The answer to the question with the id. */
export type Answer = { id: number; value: unknown } | { id: number; failure: Failure };

/** An error on its way between threads, which would lose its class. */
export type Failure = { kind: "operator"; message: string } | { kind: "store"; code: string };

export function failureOf(error: unknown): Failure {
  if (error instanceof OperatorError) return { kind: "operator", message: error.message };
  return { kind: "store", code: error instanceof StoreError ? error.code : (error as Error).name };
}

export const errorOf = (op: string, failure: Failure): Error =>
  failure.kind === "operator" ? new OperatorError(failure.message) : new StoreError(op, failure.code);
