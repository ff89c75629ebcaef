import type { Clock } from "../lib/clock.ts";
import type { TurnableClock } from "./turnable-clock.ts";
import type { VendorEdition } from "./vendor/orders.ts";
import type { Answers } from "./vendor/shape.ts";

/** Every option has a default. Times are milliseconds and default to the vendor's (protocol.md 10.1). */
export interface SandboxOptions {
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 0: any free port, kept across restarts. */
  port?: number;
  /** 8 characters; default `TIDA0001`. */
  appId?: string;
  /** 64 characters; default random. */
  secret?: string;
  /** Editions the app id is entitled to; default all three. */
  editions?: readonly VendorEdition[];
  /** The only parameter name for the app id in token and ticket queries; default either (protocol.md 0.3). */
  tokenParam?: "app_id" | "appId";
  /** The clock underlying the sandbox's own; default the system clock. */
  clock?: Clock;
  /** The sandbox's own clock, instead of one over `clock`, to share it with others. */
  sharedClock?: TurnableClock;
  /** How long the previous token outlives a new one; default 60 s. */
  overlapMs?: number;
  /** Default 7200 s. */
  tokenLifeMs?: number;
  /** SIGN tickets; default 3600 s. */
  ticketLifeMs?: number;
  /** NONCE tickets; default 120 s. */
  nonceLifeMs?: number;
  /** Min time between two NONCE tickets for one user; default 2 s. */
  nonceIntervalMs?: number;
  /** Default 5 min. */
  faceIdLifeMs?: number;
  /** Default 3 days. */
  recordLifeMs?: number;
  /** Latency of every call; default 0. Above 0, concurrent token calls reliably count as overlapping. */
  latencyMs?: number;
  /** Numbers in [0, 1) for tokens and serials, such as `seededRandom(7)`; default the CSPRNG. */
  random?: () => number;
  /** The format of answers; default as captured from the vendor's host. */
  answers?: Answers;
  /** Default true: also refuse what the vendor only forbids in writing. Breaches are recorded either way. */
  strict?: boolean;
  /** Whether to record calls with request and answer as sent, for the console; default false. */
  record?: boolean;
}
