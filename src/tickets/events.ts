import type { CallOutcome } from "./protocol/failed-call.ts";
import type { RefreshReason } from "./protocol/refresh-reason.ts";

/**
 * How a refresh ended: `ok`; `fenced` off by a later one; `busy`: not begun; `store`: the store failed; `bad_stage`: the
 * staged token was refused; `no_ticket`: the staged token still lacks its ticket; or the outcome of its failed token call.
 */
export type RefreshOutcome = "ok" | "fenced" | "busy" | "store" | "bad_stage" | "no_ticket" | CallOutcome;

/** One refresh, for the log line and the metrics of ticket-cache.md 5. */
export interface RefreshFinished {
  reason: RefreshReason | "alone";
  outcome: RefreshOutcome;
  /** The generation it replaces and the one it was to publish; 0 for none. */
  previous: number;
  generation: number;
  durationMs: number;
  tokenMs: number;
  signMs: number;
  commitMs: number;
  replica: string;
  /** The error of the failed call. */
  error: unknown;
}

/** What the ticket cache reports. None of it is secret. */
export interface TicketEvents {
  refreshFinished(event: RefreshFinished): void;
  /** `lagMs`: time between the commit and its adoption by this process. */
  pairAdopted(event: { generation: number; own: boolean; lagMs: number }): void;
  pairRejected(event: { generation: number; code: string }): void;
  /** The vendor refused the newest pair too early: another installation uses this app id, or the secret was changed. */
  foreignRotation(event: { generation: number; code: string; ageMs: number }): void;
  pairHealed(event: { generation: number }): void;
  pairOrphaned(event: { generation: number }): void;
  recordUnreadable(event: { why: string }): void;
  /** Another process is configured with a different REFRESH_INTERVAL, milliseconds. */
  intervalDiffers(event: { oursMs: number; theirsMs: number }): void;
  /** A process of this machine died during a refresh, and its lease was ended. */
  refresherDied(event: { holder: string }): void;
  storeChanged(event: { up: boolean; error: unknown }): void;
  suspended(event: { silentMs: number }): void;
  loopFailed(event: { error: unknown }): void;
}

const ignore = () => undefined;

/** Ignores every event; a base for callers that handle only a few. */
export const IGNORED_EVENTS: Readonly<TicketEvents> = {
  refreshFinished: ignore,
  pairAdopted: ignore,
  pairRejected: ignore,
  foreignRotation: ignore,
  pairHealed: ignore,
  pairOrphaned: ignore,
  recordUnreadable: ignore,
  intervalDiffers: ignore,
  refresherDied: ignore,
  storeChanged: ignore,
  suspended: ignore,
  loopFailed: ignore,
};
