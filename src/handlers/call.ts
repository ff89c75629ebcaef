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
}

/** What a door knows of a call before anything is checked. */
export interface IncomingCall {
  /** The door's name for logs: `form`, `connect`, `grpc`, `grpc-web`. */
  door: string;
  /** Which listener it came in by: what the internet may reach, or only the cluster. */
  listener: "public" | "internal";
  requestId: string;
  /** The bearer token that was presented. */
  credential: string | undefined;
  /** The name in the client certificate, which the listener has checked; undefined where it asks for none. */
  certificate: string | undefined;
  /** The app's signature over the request, on the form door. */
  appSignature?: AppSignature | undefined;
  /** The peer's address. */
  peer: string;
  /** The languages the caller reads, as in `accept-language`. */
  language: string | undefined;
  /** Aborts when the caller gives up or its deadline passes; the reason is a ServiceError. */
  signal: AbortSignal;
}

/** A call as handlers see it: who, and until when. */
export interface Call {
  caller: Caller;
  requestId: string;
  /** The caller's cancellation, its deadline and the service's own cap; whatever waits must obey it. */
  signal: AbortSignal;
  /** Facts for the access line: vendor code, serial number, durations. Nothing personal. */
  note: (facts: Readonly<Record<string, string | number>>) => void;
}

/** A transport-free RPC: what every door calls once the pipeline has let a request through. */
export type Handler<Request, Response> = (request: Request, call: Call) => Promise<Response>;
