import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import type { BrokenOff } from "../errors.ts";
import { cutOff } from "../lib/deadline.ts";

export interface DispatcherOptions {
  /** Connections kept to the vendor at most. */
  connections: number;
  /** For calls by https, and the hosts that are asked directly, as in `NO_PROXY`. */
  proxy: { url: string; noProxy: string } | undefined;
}

/** The ways to the vendor. */
export interface Dispatchers {
  /** Keep-alive connections. */
  pooled: Dispatcher;
  /** A connection for each request. */
  fresh: Dispatcher;
  close(): Promise<void>;
}

/**
 * Connections to the vendor: plain HTTP/1.1 and no retries, since over HTTP/2 undici may repeat a request by itself, and a
 * repeated token call rotates the token again (ticket-cache.md 1, case 6).
 */
export function createDispatchers({ connections, proxy }: DispatcherOptions): Dispatchers {
  const options = {
    connections,
    allowH2: false,
    connect: { timeout: 2_000 },
    // The real time limits are the callers' signals; these only keep a forgotten one from waiting for ever.
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  };
  const open = (pipelining: number) => {
    if (!proxy) return new Agent({ ...options, pipelining });
    const { url, noProxy } = proxy;
    // An empty `httpProxy` keeps undici from reading one by itself: http is for this machine and for tests.
    return new EnvHttpProxyAgent({ ...options, pipelining, httpProxy: "", httpsProxy: url, noProxy });
  };
  const pooled = open(1);
  // Undici's word for no keep-alive.
  const fresh = open(0);
  return {
    pooled,
    fresh,
    async close() {
      await Promise.all([pooled.close(), fresh.close()]);
    },
  };
}

export interface ReceiveLimits {
  /** The caller's cancellation and deadline. */
  signal: AbortSignal;
  /** Time for the whole exchange, milliseconds. */
  timeoutMs: number;
  /** Largest body, bytes. */
  maxBytes: number;
}

/** What ended an exchange from this side. */
export class CutShort extends Error {
  override readonly name = "CutShort";
  readonly why: "timeout" | "too_large";

  constructor(why: CutShort["why"]) {
    super(why);
    this.why = why;
  }
}

/** What ended an exchange before its end from the other side, or on the way there; `cause` is undici's error. */
export class Broken extends Error {
  override readonly name = "Broken";
  /** Undefined when the answer had begun. */
  readonly off: BrokenOff | undefined;

  constructor(cause: unknown, off: BrokenOff | undefined) {
    super("broken", { cause });
    this.off = off;
  }
}

/**
 * Sends a request and hands its answer to `take` as it comes; resolves to its status code at its end. Rejects with
 * CutShort, with the signal's reason, or with Broken. By `dispatch`, because `request` makes a stream and an abort
 * signal for each answer, which costs as much as the exchange.
 */
export function receive(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  { signal, timeoutMs, maxBytes }: ReceiveLimits,
  take: (chunk: Buffer) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let statusCode = 0;
    let size = 0;
    let controller: Dispatcher.DispatchController | undefined;
    let ended: Error | undefined;

    /** undici names a controller right before it writes; it fails without one when an idle connection turns out to be reset. */
    function brokenOff(): BrokenOff | undefined {
      if (!controller) return "unwritten";
      return statusCode === 0 ? "unanswered" : undefined;
    }

    /** Ends its connection, too. */
    function end(reason: Error): void {
      ended = reason;
      release();
      controller?.abort(reason);
      reject(reason);
    }

    const release = cutOff(timeoutMs, signal, (reason, expired) =>
      end(expired ? new CutShort("timeout") : reason),
    );
    dispatcher.dispatch(request, {
      onRequestStart(started) {
        controller = started;
        // It gave up while it waited for a connection: nothing is sent.
        if (ended) started.abort(ended);
      },
      onResponseStart(_controller, status) {
        statusCode = status;
      },
      onResponseData(_controller, chunk) {
        size += chunk.length;
        if (size > maxBytes) end(new CutShort("too_large"));
        else take(chunk);
      },
      onResponseEnd() {
        release();
        resolve(statusCode);
      },
      onResponseError(_controller, error) {
        release();
        // Also what `end` aborted it with comes back here.
        reject(ended ?? new Broken(error, brokenOff()));
      },
    });
  });
}
