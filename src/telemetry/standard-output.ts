import { write, writeSync } from "node:fs";
import type { DestinationStream } from "pino";
import { after } from "../lib/clock.ts";

/**
 * Lines are written in batches of this many bytes or, at the latest, after this many milliseconds.
 * perf: docs/performance.md#log-batches
 */
const BATCH_BYTES = 64 * 1024;
const BATCH_MS = 100;
/** Delay before retrying a failed write, milliseconds. */
const RETRY_MS = 1_000;
/** Max queued lines, bytes. */
const MAX_QUEUED_BYTES = 1024 * 1024;
/** Max retries for a slow reader when the process exits, and the pause between them, milliseconds. */
const MAX_EXIT_RETRIES = 50;
const EXIT_RETRY_MS = 10;

export interface StandardOutput extends DestinationStream {
  /** Calls back when everything so far has been written, or the write has failed. */
  flush(done: () => void): void;
}

/**
 * Standard output for log lines, which may be a full disk or an unread pipe: lines are queued up to a limit,
 * then dropped and counted, and no write ever blocks the process. Replaces pino's own destination, which on
 * exit retries for ever to write to a full disk.
 */
export function createStandardOutput(onLost: () => void, fd = 1): StandardOutput {
  let lines: string[] = [];
  let queuedBytes = 0;
  let batch = Buffer.alloc(0);
  let writing = false;
  let failing = false;
  let timer: (() => void) | undefined;
  let onFlushed: (() => void)[] = [];

  function settle(): void {
    const callbacks = onFlushed;
    onFlushed = [];
    for (const callback of callbacks) callback();
  }

  function batchLines(): void {
    const fresh = Buffer.from(lines.join(""));
    batch = batch.length === 0 ? fresh : Buffer.concat([batch, fresh]);
    lines = [];
  }

  function send(): void {
    if (writing) return;
    timer?.();
    timer = undefined;
    batchLines();
    if (batch.length === 0) return settle();
    writing = true;
    write(fd, batch, (error, written) => {
      writing = false;
      failing = error !== null;
      if (!failing) {
        batch = batch.subarray(written);
        queuedBytes = batch.length + lines.reduce((sum, line) => sum + line.length, 0);
        if (queuedBytes > 0) return send();
      }
      if (failing) timer ??= after(RETRY_MS, send);
      settle();
    });
  }

  process.once("exit", () => {
    if (!writing) batchLines();
    else batch = Buffer.from(lines.join(""));
    let retries = 0;
    while (batch.length > 0 && retries < MAX_EXIT_RETRIES) {
      try {
        batch = batch.subarray(writeSync(fd, batch));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
        retries += 1;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EXIT_RETRY_MS);
      }
    }
  });

  return {
    write(line) {
      if (queuedBytes + line.length > MAX_QUEUED_BYTES) return onLost();
      lines.push(line);
      queuedBytes += line.length;
      if (queuedBytes >= BATCH_BYTES && !failing) send();
      else timer ??= after(BATCH_MS, send);
    },
    flush(done) {
      onFlushed.push(done);
      send();
    },
  };
}
