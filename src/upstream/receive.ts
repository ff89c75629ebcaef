import type { Dispatcher } from "undici";
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

/**
 * Sends a request and hands its answer to `take` as it comes; resolves to its status code at its end. Rejects with
 * CutShort, with the signal's reason, or with undici's error. By `dispatch`, because `request` makes a stream and an abort
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
        reject(error);
      },
    });
  });
}
