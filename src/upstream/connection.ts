import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import type { BrokenOff } from "../errors.ts";
import { cutOff } from "../lib/deadline.ts";

export interface DispatcherOptions {
  /** Max connections to the vendor. */
  connections: number;
  /** For calls over https; `noProxy` lists the hosts to reach directly, as in `NO_PROXY`. */
  proxy: { url: string; noProxy: string } | undefined;
}

/** The connections to the vendor. */
export interface Dispatchers {
  /** Keep-alive connections. */
  pooled: Dispatcher;
  /** A new connection per request. */
  fresh: Dispatcher;
  close(): Promise<void>;
}

/**
 * Opens connections to the vendor: HTTP/1.1 only and no retries, since over HTTP/2 undici may retry a request
 * by itself, and a repeated token call rotates the token again (ticket-cache.md 1, case 6).
 */
export function createDispatchers({ connections, proxy }: DispatcherOptions): Dispatchers {
  const options = {
    connections,
    allowH2: false,
    connect: { timeout: 2_000 },
    // Every exchange has its own time limit, see `receive`.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const open = (pipelining: number) => {
    if (!proxy) return new Agent({ ...options, pipelining });
    const { url, noProxy } = proxy;
    // An empty `httpProxy` stops undici from reading one from the environment: http is for this machine and
    // for tests.
    return new EnvHttpProxyAgent({ ...options, pipelining, httpProxy: "", httpsProxy: url, noProxy });
  };
  const pooled = open(1);
  // Undici's setting for no keep-alive.
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
  /** Time limit of the whole exchange, milliseconds. */
  timeoutMs: number;
  /** Max body size, bytes. */
  maxBytes: number;
}

/** Thrown when we abort an exchange. */
export class CutShort extends Error {
  override readonly name = "CutShort";
  readonly why: "timeout" | "too_large";

  constructor(why: CutShort["why"]) {
    super(why);
    this.why = why;
  }
}

/** Thrown when the other side or the network ends an exchange early; `cause` is undici's error. */
export class Broken extends Error {
  override readonly name = "Broken";
  /** Undefined if the response had begun. */
  readonly off: BrokenOff | undefined;

  constructor(cause: unknown, off: BrokenOff | undefined) {
    super("broken", { cause });
    this.off = off;
  }
}

/**
 * Sends a request and passes the response body to `onData` as it arrives; resolves to the status code at its
 * end. Rejects with CutShort, with the signal's reason, or with Broken. Uses undici's `dispatch` rather
 * than `request`.
 * perf: docs/performance.md#own-dispatch
 */
export function receive(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  { signal, timeoutMs, maxBytes }: ReceiveLimits,
  onData: (chunk: Buffer) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let statusCode = 0;
    let size = 0;
    let controller: Dispatcher.DispatchController | undefined;
    let ended: Error | undefined;

    /**
     * undici supplies the controller right before it writes, and fails without one if an idle connection was
     * reset.
     */
    function brokenOff(): BrokenOff | undefined {
      if (!controller) return "unwritten";
      return statusCode === 0 ? "unanswered" : undefined;
    }

    /** Aborts the exchange and its connection. */
    function end(reason: Error): void {
      ended = reason;
      release();
      controller?.abort(reason);
      reject(reason);
    }

    const release = cutOff(timeoutMs, signal, (reason, timedOut) =>
      end(timedOut ? new CutShort("timeout") : reason),
    );
    dispatcher.dispatch(request, {
      onRequestStart(started) {
        controller = started;
        // Aborted while waiting for a connection: nothing is sent.
        if (ended) started.abort(ended);
      },
      onResponseStart(_controller, status) {
        statusCode = status;
      },
      onResponseData(_controller, chunk) {
        size += chunk.length;
        if (size > maxBytes) end(new CutShort("too_large"));
        else onData(chunk);
      },
      onResponseEnd() {
        release();
        resolve(statusCode);
      },
      onResponseError(_controller, error) {
        release();
        // The reason that `end` aborts with also arrives here.
        reject(ended ?? new Broken(error, brokenOff()));
      },
    });
  });
}
