import type { Dispatcher } from "undici";
import type { BrokenOff } from "../errors.ts";
import { cutOff } from "../lib/clock.ts";

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
