import type { IncomingMessage } from "node:http";
import { callerLeft, ErrorReason, ServiceError } from "../errors.ts";
import { BODY_TIMEOUT_MS, OPEN_BODY_BYTES, type Share } from "../lib/budget.ts";
import { after } from "../lib/clock.ts";
import { onAbort } from "../lib/deadline.ts";
import { hasLeft } from "../lib/http.ts";

/** Checks the frames of one body as its chunks arrive. Keeps no data. */
export interface Frames {
  /**
   * Returns how many bytes of the chunk belong to frames now complete. Throws a ServiceError as soon as a
   * prefix is invalid.
   */
  push(chunk: Uint8Array): number;
  /** Throws a ServiceError if the body must not end here. */
  end(): void;
}

export interface BodyOptions {
  /**
   * Its share of the process-wide budget for bodies; the reader releases it once the call has its response.
   */
  share: Share;
  /** Aborts, with a ServiceError, when the client disconnects or its deadline passes. */
  signal: AbortSignal;
  /** Checks a framed body; undefined for a body without frames. */
  frames?: Frames | undefined;
  /** Max body size, bytes. */
  maxBytes: number;
}

/** Memory overhead of each chunk of a body, bytes. */
const CHUNK_BYTES = 256;
/**
 * One instance for all rejected bodies, so that a rejection captures no stack trace.
 * perf: docs/performance.md#ready-made-errors
 */
const CROWDED = new ServiceError(ErrorReason.OVERLOADED, "too much is being received", {
  retryAfterMs: 1_000,
});

const tooLarge = () => new ServiceError(ErrorReason.PAYLOAD_TOO_LARGE, "too large a body");
const bodyTimedOut = () => new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "no whole body in time");

/**
 * Reads a whole body. Rejects with ServiceError as soon as the body is known to be unacceptable, then stops
 * reading and drops the chunks received so far.
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

/**
 * Yields complete frames as they arrive, for calls that respond before the body ends. Throws as `readBody`
 * does.
 */
export async function* readFrames(
  source: IncomingMessage,
  options: BodyOptions & { frames: Frames },
): AsyncGenerator<Buffer> {
  /** Chunks of an incomplete frame. */
  let parts: Buffer[] = [];
  const ready: Buffer[] = [];
  let ended: { error?: ServiceError } | undefined;
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
      ended = {};
      wake();
    },
    fail(error) {
      ended = { error };
      wake();
    },
  });
  try {
    for (;;) {
      for (let next = ready.shift(); next; next = ready.shift()) yield next;
      if (ended?.error) throw ended.error;
      if (ended) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    stop();
  }
}

interface Follower {
  /** `whole`: how many of its bytes belong to frames that are now complete. */
  chunk(chunk: Buffer, whole: number): void;
  end(): void;
  fail(error: ServiceError): void;
}

/**
 * Reports a body's chunks to `follower`, and its end or failure exactly once; the returned function stops
 * reading.
 */
function follow(source: IncomingMessage, options: BodyOptions, follower: Follower): () => void {
  const { share, signal, frames, maxBytes } = options;
  let size = 0;
  let settled = false;
  const onData = (chunk: Buffer) => {
    if (settled) return;
    size += chunk.length;
    if (size > maxBytes) return settle(tooLarge());
    if (!share.take(chunk.length + CHUNK_BYTES)) return settle(CROWDED);
    let whole: number;
    try {
      whole = frames?.push(chunk) ?? 0;
    } catch (error) {
      return settle(error as ServiceError);
    }
    follower.chunk(chunk, whole);
  };
  const onEnd = () => {
    if (settled) return;
    if (hasLeft(source)) return settle(callerLeft());
    try {
      frames?.end();
    } catch (error) {
      return settle(error as ServiceError);
    }
    settle(undefined);
  };
  const onBroken = (error?: NodeJS.ErrnoException) => {
    if (!settled) settle(brokenBy(error));
  };
  const stopTimer = after(BODY_TIMEOUT_MS, () => settle(bodyTimedOut()));
  let release: () => void = () => undefined;

  function stop(): void {
    settled = true;
    stopTimer();
    release();
    // The listeners stay. perf: docs/performance.md#listeners-stay
    source.pause();
  }
  function settle(error: ServiceError | undefined): void {
    if (settled) return;
    stop();
    if (error) follower.fail(error);
    else follower.end();
  }

  if (Number(source.headers["content-length"]) > maxBytes) settle(tooLarge());
  else if (!share.take(OPEN_BODY_BYTES)) settle(CROWDED);
  else if (source.destroyed) settle(callerLeft());
  else {
    source.on("data", onData).on("end", onEnd).on("error", onBroken).on("close", onBroken);
    release = onAbort(signal, (reason) => settle(reason as ServiceError));
  }
  return stop;
}

/** The parser reports bytes that are not HTTP; any other error means that the caller disconnected. */
function brokenBy(error: NodeJS.ErrnoException | undefined): ServiceError {
  return error?.code?.startsWith("HPE_")
    ? new ServiceError(ErrorReason.MALFORMED_REQUEST, "not HTTP")
    : callerLeft();
}
