import type { CallFinished } from "./calls/ongoing-call.ts";
import type { ErrorReason, ServiceError, UpstreamEndpoint } from "./errors.ts";
import type { CertificateEnd } from "./lib/certificates.ts";
import type { TicketEvents } from "./tickets/events.ts";

/** A request that never reached a handler. */
export interface RequestRefused {
  door: string;
  requestId: string;
  /** The route, as the code spells it; "" for none. */
  path: string;
  error: ServiceError;
}

/** An answer that could not be written; the call itself has been reported as finished. */
export interface AnswerFailed {
  door: string;
  requestId: string;
  /** The route or method, as the code spells it. */
  path: string;
  error: unknown;
}

/** A request that came to no door. */
export interface RequestTurnedAway {
  requestId: string;
  reason: keyof typeof ErrorReason;
  /** For INTERNAL. */
  cause?: unknown;
}

/** A request that was admitted and would not be, were a rule enforced. */
export interface WouldBeRefused {
  door: string;
  rule: string;
  requestId: string;
}

/** A client that did not get through the TLS handshake. */
export interface TlsRefused {
  /** Of the listener. */
  port: number;
  /** OpenSSL's or Node's word for what was wrong. */
  why: string;
  peer: string;
  /** The name in the client's certificate, if it gave one. */
  certificate: string | undefined;
  /** How many others were refused there since the last report. */
  others: number;
}

/** A connection that was ended because its client does not read. */
export interface ReaderDropped {
  waitingBytes: number;
  stalledMs: number;
  crowded: boolean;
}

/** The listeners that are open, as `host:port`, and as what the process runs. */
export interface ServiceStarted {
  http?: string;
  grpc?: string;
  admin: string;
  livemode: boolean;
  role: string;
}

/** One exchange with the vendor. */
export interface UpstreamCalled {
  endpoint: UpstreamEndpoint;
  /** The class of the vendor's code (`domain/codes.ts`), `ok` for "0", or how the call failed. */
  outcome: string;
  code: string | undefined;
  bizSeqNo: string | undefined;
  durationMs: number;
}

/** One operation of something that is shared or remote, and does without it when it fails. */
export interface Attempted {
  ok: boolean;
  error?: unknown;
}

/**
 * Everything that the service reports while it runs. Rooms take the events that they emit by `Pick` and know neither logger
 * nor metric; `telemetry/` implements all of them. Nothing personal and nothing secret is in any of them.
 */
export interface ServiceEvents extends TicketEvents {
  serviceStarted(started: ServiceStarted): void;
  serviceStopping(stopping: { signal: string }): void;
  serviceFailed(failed: { error: unknown }): void;
  testAppOnLiveHost(): void;
  /** What of the environment is probably not meant. */
  configWarned(warned: { warnings: readonly string[] }): void;
  /** Certificates that are in use from now on. */
  certificatesLoaded(loaded: readonly CertificateEnd[]): void;
  auditReopenFailed(failed: { error: unknown }): void;
  callFinished(call: CallFinished): void;
  requestRefused(refused: RequestRefused): void;
  requestTurnedAway(turnedAway: RequestTurnedAway): void;
  answerFailed(failed: AnswerFailed): void;
  wouldBeRefused(observed: WouldBeRefused): void;
  tlsRefused(refused: TlsRefused): void;
  readerDropped(dropped: ReaderDropped): void;
  upstreamCalled(called: UpstreamCalled): void;
  circuitChanged(change: { endpoint: UpstreamEndpoint; open: boolean }): void;
  /** `aheadMs`: how far this machine's clock is ahead of the vendor's. */
  clockCompared(compared: { aheadMs: number }): void;
  /** One operation of the ticket store. */
  storeAsked(asked: { op: string; ok: boolean; durationMs: number }): void;
  /** One operation of the shared store of launches. */
  launchStoreAsked(asked: Attempted): void;
  /** One count of a limit in the shared store; a failed one was made in this process. */
  limitStoreAsked(asked: Attempted): void;
  /** The keys of the identity provider were fetched, or could not be. */
  keysFetched(fetched: Attempted): void;
  configReloaded(): void;
  configRejected(rejected: { error: unknown }): void;
  /** Settings that have changed and hold from the next start on. */
  configWaits(waiting: { settings: readonly string[] }): void;
}
