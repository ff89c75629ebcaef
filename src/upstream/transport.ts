import {
  type UpstreamDetail,
  type UpstreamEndpoint,
  UpstreamError,
  type UpstreamFailure,
} from "../errors.ts";
import { resumeTogether } from "../lib/event-loop.ts";
import { Redacted } from "../lib/redacted.ts";
import { type Broken, CutShort, type Dispatchers, receive } from "./connection.ts";
import { replyOf } from "./reply.ts";
import { type Body, createBody, createBodyWithFiles } from "./streamed-json.ts";

/** Values to send; secrets and personal data stay masked until they are written. */
type Values = Readonly<Record<string, string | Redacted<string>>>;

/** One request to the vendor. */
export interface Exchange {
  endpoint: UpstreamEndpoint;
  /** Path below the base URL, beginning with a slash. */
  path: string;
  query: Values;
  /** Sent as JSON by POST; without a body the request is a GET. */
  body?: Values | undefined;
  /** The caller's cancellation and deadline. */
  signal: AbortSignal;
  /** Time limit of the whole exchange, milliseconds. */
  timeoutMs: number;
  /** Max response size, bytes. */
  maxBytes: number;
  /**
   * Whether the response may contain files: its long JSON strings are then read as files, see
   * `createBodyWithFiles`.
   */
  files?: boolean | undefined;
  /** Uses a new connection. */
  fresh?: boolean | undefined;
}

/**
 * Performs one exchange and resolves to the response's JSON; rejects with UpstreamError, or with the signal's
 * reason.
 */
export type Transport = (exchange: Exchange) => Promise<unknown>;

export interface TransportOptions {
  /** The vendor's base URL, such as `https://kyc1.qcloud.com`. */
  baseUrl: string;
  /** Connections to the vendor. Must not retry. */
  dispatchers: Dispatchers;
}

const ACCEPTS_JSON = { accept: "application/json" };
const SENDS_JSON = { ...ACCEPTS_JSON, "content-type": "application/json" };

/**
 * Performs exchanges with the vendor, without retries: a repeated token call would rotate the token again.
 * Errors contain neither the URL (its query has secrets) nor the body.
 */
export function createTransport({ baseUrl, dispatchers }: TransportOptions): Transport {
  const { origin, pathname } = new URL(baseUrl);
  const prefix = pathname.replace(/\/$/, "");

  return async ({ endpoint, path, query, body, signal, timeoutMs, maxBytes, files, fresh }) => {
    signal.throwIfAborted();
    const fail = (failure: UpstreamFailure, detail?: UpstreamDetail) =>
      new UpstreamError(endpoint, failure, detail);
    const request = {
      origin,
      path: prefix + path,
      query: revealed(query),
      method: body ? "POST" : "GET",
      headers: body ? SENDS_JSON : ACCEPTS_JSON,
      body: body ? JSON.stringify(revealed(body)) : null,
    } as const;
    const answer = files ? createBodyWithFiles() : createBody();
    let statusCode: number;
    try {
      const dispatcher = fresh ? dispatchers.fresh : dispatchers.pooled;
      statusCode = await receive(dispatcher, request, { signal, timeoutMs, maxBytes }, (chunk) =>
        answer.add(chunk),
      );
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof CutShort) throw fail(error.why);
      const cause = errorCode(error);
      if (wasNeverSent(cause)) throw fail("not_sent", { cause });
      const { off } = error as Broken;
      throw fail(off === "unwritten" ? "not_sent" : "broken", { cause, brokenOff: off });
    }
    if (statusCode === 429) throw fail("throttled", codeOf(answer));
    if (statusCode !== 200) {
      throw fail("status", { ...(statusCode < 500 && codeOf(answer)), cause: `HTTP ${statusCode}` });
    }
    // perf: docs/performance.md#batching
    await resumeTogether();
    try {
      return answer.json();
    } catch {
      // Not chained: the parser's message quotes the body.
      throw fail("malformed");
    }
  };
}

function revealed(values: Values): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    plain[name] = value instanceof Redacted ? value.reveal() : value;
  }
  return plain;
}

const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Whether a request certainly failed before it was written: name resolution, connecting, TLS. */
function wasNeverSent(code = ""): boolean {
  return NEVER_SENT.has(code) || /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/.test(code);
}

/** Code and serial number of an error response, if its body is the vendor's JSON. */
function codeOf(answer: Body): Pick<UpstreamDetail, "entry" | "bizSeqNo"> {
  try {
    const { entry, bizSeqNo } = replyOf(answer.json()) ?? {};
    return entry?.code === "0" ? {} : { entry, bizSeqNo };
  } catch {
    return {};
  }
}

function errorCode(error: unknown): string | undefined {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  return typeof code === "string" ? code : cause === undefined ? undefined : errorCode(cause);
}
