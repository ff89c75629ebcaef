import type { IncomingMessage } from "node:http";
import { callerLeft, ErrorReason, ServiceError } from "../../errors.ts";
import { BODY_TIMEOUT_MS, OPEN_BODY_BYTES, type Share } from "../../lib/budget.ts";
import { after } from "../../lib/clock.ts";
import { onAbort } from "../../lib/deadline.ts";
import { hasLeft } from "../../lib/http.ts";
import type { Frames } from "./frames.ts";

export interface BodyOptions {
  /** Of the bytes that bodies may take in the whole process; whoever reads gives it back when the call is answered. */
  share: Share;
  /** Aborts, with a ServiceError, when the client leaves or its deadline passes. */
  signal: AbortSignal;
  /** How to judge a body that consists of frames. */
  frames: Frames | undefined;
  /** Largest body, bytes. */
  mostBytes: number;
}

/** What each chunk of a body costs beside its bytes, bytes. */
const CHUNK_BYTES = 256;
/** One for all: whoever refuses much must spend little on it. */
const CROWDED = new ServiceError(ErrorReason.OVERLOADED, "too much is being received", {
  retryAfterMs: 1_000,
});

const tooLarge = () => new ServiceError(ErrorReason.PAYLOAD_TOO_LARGE, "too large a body");
const late = () => new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "no whole body in time");

/**
 * A body, read to its end. Rejects with ServiceError as soon as it is known not to be readable, and then reads no further:
 * what has come so far is dropped at once.
 */
export function readBody(source: IncomingMessage, options: BodyOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    follow(source, options, {
      chunk: (chunk) => void chunks.push(chunk),
      end: () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)),
      fail(error) {
        chunks.length = 0;
        reject(error);
      },
    });
  });
}

/** A body's whole frames as they come, for calls that answer before the body ends. Throws ServiceError as `readBody` does. */
export async function* readFrames(
  source: IncomingMessage,
  options: BodyOptions & { frames: Frames },
): AsyncGenerator<Buffer> {
  /** Of a frame that is not whole yet. */
  let parts: Buffer[] = [];
  const ready: Buffer[] = [];
  let over: { error?: ServiceError } | undefined;
  let wake: () => void = () => undefined;
  const stop = follow(source, options, {
    chunk(chunk, whole) {
      if (whole > 0) {
        ready.push(Buffer.concat([...parts, chunk.subarray(0, whole)]));
        parts = [];
      }
      if (whole < chunk.length) parts.push(chunk.subarray(whole));
      wake();
    },
    end() {
      over = {};
      wake();
    },
    fail(error) {
      over = { error };
      wake();
    },
  });
  try {
    for (;;) {
      for (let next = ready.shift(); next; next = ready.shift()) yield next;
      if (over?.error) throw over.error;
      if (over) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    stop();
  }
}

interface Follower {
  /** `whole`: how much of it belongs to frames that are whole now. */
  chunk(chunk: Buffer, whole: number): void;
  end(): void;
  fail(error: ServiceError): void;
}

/** Tells `to` what becomes of a body, once about its end; the returned function lets go of it, and reading stops. */
function follow(source: IncomingMessage, options: BodyOptions, to: Follower): () => void {
  const { share, signal, frames, mostBytes } = options;
  let size = 0;
  let settled = false;
  const onData = (chunk: Buffer) => {
    size += chunk.length;
    if (size > mostBytes) return settle(tooLarge());
    if (!share.take(chunk.length + CHUNK_BYTES)) return settle(CROWDED);
    let whole: number;
    try {
      whole = frames?.see(chunk) ?? 0;
    } catch (error) {
      return settle(error as ServiceError);
    }
    to.chunk(chunk, whole);
  };
  const onEnd = () => {
    if (hasLeft(source)) return settle(callerLeft());
    try {
      frames?.end();
    } catch (error) {
      return settle(error as ServiceError);
    }
    settle(undefined);
  };
  const onBroken = (error?: NodeJS.ErrnoException) => settle(brokenBy(error));
  const stopTimer = after(BODY_TIMEOUT_MS, () => settle(late()));
  let release: () => void = () => undefined;

  function stop(): void {
    settled = true;
    stopTimer();
    release();
    source.pause();
    // Not the listener of errors: Node decides that there is one, and emits a turn later, when it would be missing.
    source.off("data", onData).off("end", onEnd).off("close", onBroken);
  }
  function settle(error: ServiceError | undefined): void {
    if (settled) return;
    stop();
    if (error) to.fail(error);
    else to.end();
  }

  if (!share.take(OPEN_BODY_BYTES)) settle(CROWDED);
  else if (source.destroyed) settle(callerLeft());
  else {
    source.on("data", onData).on("end", onEnd).on("error", onBroken).on("close", onBroken);
    release = onAbort(signal, (reason) => settle(reason as ServiceError));
  }
  return stop;
}

/** Bytes that are no HTTP are told by the parser; everything else is a caller that left. */
function brokenBy(error: NodeJS.ErrnoException | undefined): ServiceError {
  return error?.code?.startsWith("HPE_")
    ? new ServiceError(ErrorReason.MALFORMED_REQUEST, "not HTTP")
    : callerLeft();
}
