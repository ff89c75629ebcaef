import type { FieldViolation } from "../errors.ts";
import type { CallScope } from "../lib/deadline.ts";
import type { Peer } from "../lib/peer.ts";
import type { AppSignature } from "./app-signature.ts";

/** Who calls, as the pipeline has found out. */
export interface Caller {
  /** For logs and limits: a configured caller's name, or what kind of stranger it is. */
  name: string;
  /**
   * Internal callers may bring their own order numbers and read any order. Others read only what this service made,
   * and an end user only what was made for them.
   */
  internal: boolean;
  /** The end user's subject, who owns the orders made in their name; "" where there is none. */
  subject: string;
  /** Whether photo and video of the orders that this caller may read are for it too. */
  media: boolean;
}

/** What a door knows of a call before anything is checked. */
export interface IncomingCall {
  /** The door's name for logs: `form`, `connect`, `grpc`, `grpc-web`. */
  door: string;
  /** Which listener it came in by: what the internet may reach, or only the cluster. */
  listener: "public" | "internal";
  requestId: string;
  /** The bearer token that was presented; "" for an `Authorization` header that holds none. */
  credential: string | undefined;
  /** The app's signature over the request, on the form door. */
  appSignature?: AppSignature | undefined;
  peer: Peer;
  /** The rules of the door itself, checked with those of the message. */
  violations?: (() => readonly FieldViolation[]) | undefined;
  /** W3C Trace Context of the caller, if it sent any. */
  traceparent: string | undefined;
  /** Sets a header of the answer. */
  answerHeader: (name: string, value: string) => void;
  /** The languages the caller reads, as in `accept-language`. */
  language: string | undefined;
  /** Its signal aborts when the caller leaves, or when its deadline or the service's own passes; the reason is a ServiceError. */
  scope: CallScope;
}

/** A call as handlers see it: who, and until when. */
export interface Call {
  caller: Caller;
  requestId: string;
  /** The scope's, or narrower: whatever waits must obey it. */
  signal: AbortSignal;
  /** Facts for the access line, the metrics and the audit trail. */
  note: (facts: CallFacts) => void;
}

/** What a handler may tell of a call; anything that is not listed cannot be written down. Nothing personal. */
export interface CallFacts {
  order_no?: string;
  /** Keyed hash of the ID number; for the audit trail only. */
  person?: string;
  upstream_code?: string;
  /** Whether the vendor charges for the answer. */
  billed?: boolean;
  biz_seq_no?: string;
  verdict?: string;
  verdict_reason?: string;
  /** Fields of the vendor's answer that held what they cannot hold, by its names. */
  unreadable?: readonly string[];
  /** Why there are no files, in our own words. */
  media_error?: string;
  /** Generations before and after a refresh that an operator forced. */
  previous?: number;
  generation?: number;
  /** How long the launch parameters are certain to work. */
  launch_within_ms?: number;
}

/** A transport-free RPC: what every door calls once the pipeline has let a request through. */
export type Handler<Request, Response> = (request: Request, call: Call) => Promise<Response>;
