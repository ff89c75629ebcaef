import type { CallFinished } from "./calls/ongoing-call.ts";
import type { ErrorReason, ServiceError, UpstreamEndpoint } from "./errors.ts";
import type { CertificateEnd } from "./lib/certificates.ts";
import type { LinkEvents } from "./links/events.ts";
import type { OrderEvents } from "./orders/events.ts";
import type { TicketEvents } from "./tickets/events.ts";

/** A request that never reached a handler. */
export interface RequestRefused {
  door: string;
  requestId: string;
  /** The route pattern; "" for none. */
  path: string;
  error: ServiceError;
}

/** A response that could not be written; the call itself has been reported as finished. */
export interface AnswerFailed {
  door: string;
  requestId: string;
  /** The route pattern or method. */
  path: string;
  error: unknown;
}

/** A request that reached no door. */
export interface RequestTurnedAway {
  requestId: string;
  reason: keyof typeof ErrorReason;
  /** For INTERNAL. */
  cause?: unknown;
}

/** A request that was admitted only because a rule is in report-only mode. */
export interface WouldBeRefused {
  door: string;
  rule: string;
  requestId: string;
}

/** A failed TLS handshake. */
export interface TlsRefused {
  /** The listener's. */
  port: number;
  /** OpenSSL's or Node's error code. */
  why: string;
  peer: string;
  /** The name in the client's certificate, if it sent one. */
  certificate: string | undefined;
  /** Number of other refusals there since the last report. */
  others: number;
}

/** A connection closed because its client does not read. */
export interface ReaderDropped {
  waitingBytes: number;
  stalledMs: number;
  crowded: boolean;
}

/** The open listeners, as `host:port`, and the process's role. */
export interface ServiceStarted {
  http?: string;
  grpc?: string;
  admin: string;
  livemode: boolean;
  role: string;
}

/** A finished vendor call. */
export interface UpstreamCalled {
  endpoint: UpstreamEndpoint;
  /** The class of the vendor's code (`domain/codes.ts`), `ok` for "0", or how the call failed. */
  outcome: string;
  code: string | undefined;
  bizSeqNo: string | undefined;
  durationMs: number;
}

/** An attempt to use something shared or remote; the service goes on if it fails. */
export interface Attempted {
  ok: boolean;
  error?: unknown;
}

/**
 * Everything that the service reports while it runs. Rooms take the events that they emit by `Pick` and know neither logger
 * nor metric; `telemetry/` implements all of them. None contains anything personal or secret.
 */
export interface ServiceEvents extends TicketEvents, OrderEvents, LinkEvents {
  serviceStarted(started: ServiceStarted): void;
  serviceStopping(stopping: { signal: string }): void;
  serviceFailed(failed: { error: unknown }): void;
  testAppOnLiveHost(): void;
  /** Settings that are probably mistakes. */
  configWarned(warned: { warnings: readonly string[] }): void;
  /** Certificates in use from now on. */
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
  /** `aheadMs`: how far this machine's clock is ahead of the vendor's; negative if behind. */
  clockCompared(compared: { aheadMs: number }): void;
  /** One operation of the ticket store. */
  storeAsked(asked: { op: string; ok: boolean; durationMs: number }): void;
  /** One operation of the shared store of launches. */
  launchStoreAsked(asked: Attempted): void;
  /** One count of a limit in the shared store; if that failed, it was counted in this process. */
  limitStoreAsked(asked: Attempted): void;
  /** One fetch of the identity provider's keys. */
  keysFetched(fetched: Attempted): void;
  configReloaded(): void;
  configRejected(rejected: { error: unknown }): void;
  /** Changed settings that take effect at the next start. */
  configWaits(waiting: { settings: readonly string[] }): void;
}
