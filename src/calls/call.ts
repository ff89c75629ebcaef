import type { FieldViolation } from "../errors.ts";
import type { CallScope } from "../lib/deadline.ts";
import type { Peer } from "../lib/peer.ts";
import type { AppSignature } from "./app-signature.ts";

/** An authenticated caller. */
export interface Caller {
  /** For logs and limits: a configured caller's name, or the kind of stranger. */
  name: string;
  /**
   * Internal callers may supply their own order numbers and read any order. Others may read only orders that
   * this service minted, and an end user only their own.
   */
  internal: boolean;
  /** The end user's subject, which owns the orders minted for it; "" for callers that are not end users. */
  subject: string;
  /** Whether the caller may also read photo and video of the orders it may read. */
  media: boolean;
}

/** The facts of a call as its door received it, before any check. */
export interface IncomingCall {
  /** The door's name for logs: `form`, `connect`, `grpc`, `grpc-web`. */
  door: string;
  /**
   * The listener that accepted it: `public` is reachable from the internet, `internal` only from the cluster.
   */
  listener: "public" | "internal";
  requestId: string;
  /** The bearer token presented; "" for an `Authorization` header without one. */
  credential: string | undefined;
  /** The app's signature over the request, on the form door. */
  appSignature?: AppSignature | undefined;
  peer: Peer;
  /** The door's own rules, checked together with the message's. */
  violations?: (() => readonly FieldViolation[]) | undefined;
  /** The caller's W3C Trace Context, if any. */
  traceparent: string | undefined;
  /** Sets a response header. */
  answerHeader: (name: string, value: string) => void;
  /** The caller's `accept-language`. */
  language: string | undefined;
  /**
   * Aborted, with a ServiceError, when the caller disconnects or its deadline or the service's own time limit
   * passes.
   */
  scope: CallScope;
}

/** A call as handlers see it. */
export interface Call {
  caller: Caller;
  requestId: string;
  /** The scope's signal, or a narrower one; every wait must honour it. */
  signal: AbortSignal;
  /** Facts for the access line, the metrics and the audit trail. */
  note: (facts: CallFacts) => void;
}

/**
 * Everything a handler may report about a call; a field not listed here cannot be recorded. Nothing personal.
 */
export interface CallFacts {
  order_no?: string;
  /** Keyed hash of the ID number, for the audit trail only. */
  person?: string;
  upstream_code?: string;
  /** Whether the vendor charges for the response. */
  billed?: boolean;
  biz_seq_no?: string;
  verdict?: string;
  verdict_reason?: string;
  /** Fields of the vendor's response with invalid values, by the vendor's names. */
  unreadable?: readonly string[];
  /** Why there are no files, in our wording. */
  media_error?: string;
  /** Why the outcome of an attempt could not be read, in our wording. */
  outcome_error?: string;
  /** Generations before and after a refresh forced by an operator. */
  previous?: number;
  generation?: number;
  /** How long the launch parameters are guaranteed to work, milliseconds. */
  launch_within_ms?: number;
}

/** A transport-independent RPC, called once the pipeline has admitted and checked the request. */
export type Handler<Request, Response> = (request: Request, call: Call) => Promise<Response>;

/** Hands one message to the caller; resolves once the caller takes the next one, and rejects once the call has ended. */
export type SendMessage<Response> = (message: Response) => Promise<void>;

/** The same for an RPC that streams its responses; the stream ends when it settles. */
export type StreamHandler<Request, Response> = (
  request: Request,
  call: Call & { send: SendMessage<Response> },
) => Promise<void>;
