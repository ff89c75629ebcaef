import type { TicketState } from "./state.ts";

/** Identifies the refresh that an operation belongs to. */
export type LeaseClaim = { holder: string; generation: number };

/** What a replica may do to the state (ticket-cache.md 2.3). */
export type Operation =
  /**
   * Begin a refresh that replaces generation `expected`. `atLeast`: the highest generation the caller has seen; `due`: the
   * pair is old enough for an ordinary refresh, in doubt or not; `continues`: the staged generation the caller can build on;
   * `credentials`: fingerprint of the caller's secrets; `process`: the caller's name among the processes of its machine.
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
  /** Extend the lease: another token call follows, or the ticket for the staged token takes longer. */
  | (LeaseClaim & { kind: "renew" })
  /** The lease's holder, another process, is dead. */
  | (LeaseClaim & { kind: "bury" })
  /** Store a new token before its ticket is requested. */
  | (LeaseClaim & { kind: "stage"; sealed: string })
  /** Publish the pair. */
  | (LeaseClaim & { kind: "commit"; sealed: string })
  /**
   * End the refresh without a pair. `clean`: nothing was rotated; `unknown`: it may have been; `keepstage`: the stage can be
   * continued; `badstage`: the staged token is dead.
   */
  | (LeaseClaim & {
      kind: "abort";
      outcome: "clean" | "unknown" | "keepstage" | "badstage";
      backoffMs: number;
      /** The credentials that the vendor refused: replicas with others need not wait. */
      of?: string;
    })
  /** A token was issued that no process will commit, so the published pair is dying. */
  | { kind: "orphan" }
  /** The vendor refused this generation, or an operator wants it replaced. */
  | { kind: "invalidate"; generation: number; by: "refusal" | "operator" }
  /** The store lost this pair, which the caller still has cached. */
  | { kind: "heal"; generation: number; sealed: string; at: number };

/** `ok`: done, now or earlier. The others: why it was not done. */
export type TransitionStatus = "ok" | "busy" | "moved" | "backoff" | "fenced" | "noop";

export interface Transition {
  state: TicketState;
  status: TransitionStatus;
  /** For `acquire` with `ok`: the generation this refresh will publish. */
  generation?: number;
}
