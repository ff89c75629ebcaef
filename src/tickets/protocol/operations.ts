import type { TicketState } from "./state.ts";

/** Whose refresh an operation belongs to. */
export type LeaseClaim = { holder: string; generation: number };

/** What a replica may do to the state (ticket-cache.md 2.3). */
export type Operation =
  /**
   * Begin a refresh of the pair `expected`. `atLeast` is the highest generation the caller has seen; `due` says that the
   * pair is old enough for an ordinary refresh, doubt or no doubt; `continues` is the staged generation it can build on;
   * `credentials` tells configurations apart; `process` is what others on this machine know this process by.
   */
  | {
      kind: "acquire";
      holder: string;
      expected: number;
      atLeast: number;
      due: boolean;
      continues: number | undefined;
      credentials: string;
      process?: string;
    }
  /** Go on: another token call follows, or the staged token's ticket takes its time. */
  | (LeaseClaim & { kind: "renew" })
  /** The holder of the lease, which is another process, is dead. */
  | (LeaseClaim & { kind: "bury" })
  /** Keep a new token before its ticket is asked for. */
  | (LeaseClaim & { kind: "stage"; sealed: string })
  /** Publish the pair. */
  | (LeaseClaim & { kind: "commit"; sealed: string })
  /** Give up: nothing rotated; anything may have; the stage is to be continued; the stage is dead. */
  | (LeaseClaim & {
      kind: "abort";
      outcome: "clean" | "unknown" | "keepstage" | "badstage";
      backoffMs: number;
      /** The credentials that were not accepted: others need not wait. */
      of?: string;
    })
  /** A token was issued that nobody will commit, so the published pair is dying. */
  | { kind: "orphan" }
  /** The vendor refused this generation, or an operator wants it replaced. */
  | { kind: "invalidate"; generation: number; by: "refusal" | "operator" }
  /** The store lost this pair, which the caller still holds. */
  | { kind: "heal"; generation: number; sealed: string; at: number };

/** `ok`: done, or done before. The others: not done, and why. */
export type TransitionStatus = "ok" | "busy" | "moved" | "backoff" | "fenced" | "noop";

export interface Transition {
  state: TicketState;
  status: TransitionStatus;
  /** With `acquire` and `ok`: the generation this refresh will publish. */
  generation?: number;
}
