import { write, writeSync } from "node:fs";
import type { DestinationStream } from "pino";
import { after } from "../lib/clock.ts";

/** Lines are written together, once there are so many bytes or milliseconds of them: each write costs as much as several lines. */
const BATCH_BYTES = 16 * 1024;
const BATCH_MS = 100;
/** When it is tried again after a write that failed, milliseconds. */
const RETRY_MS = 1_000;
/** Lines that may wait to be written at most, bytes. */
const WAITING_BYTES = 1024 * 1024;
/** How often a reader that is slow is waited for when the process ends, and for how long, milliseconds. */
const LAST_TRIES = 50;
const LAST_WAIT_MS = 10;

export interface StandardOutput extends DestinationStream {
  /** Calls back when everything so far is written, or cannot be now. */
  flush(done: () => void): void;
}

/**
 * Standard output for log lines, which may be a full disk or a pipe that is not read: lines wait up to a limit, then they are
 * lost and counted, and no write ever stops the process. Not by pino's own destination, which at the end of the process tries
 * for ever to write to a disk that is full.
 */
export function createStandardOutput(onLost: () => void, fd = 1): StandardOutput {
  let lines: string[] = [];
  let waiting = 0;
  let batch = Buffer.alloc(0);
  let writing = false;
  let failing = false;
  let timer: (() => void) | undefined;
  let flushed: (() => void)[] = [];

  function settle(): void {
    const done = flushed;
    flushed = [];
    for (const each of done) each();
  }

  function takeLines(): void {
    const fresh = Buffer.from(lines.join(""));
    batch = batch.length === 0 ? fresh : Buffer.concat([batch, fresh]);
    lines = [];
  }

  function send(): void {
    if (writing) return;
    timer?.();
    timer = undefined;
    takeLines();
    if (batch.length === 0) return settle();
    writing = true;
    write(fd, batch, (error, written) => {
      writing = false;
      failing = error !== null;
      if (!failing) {
        batch = batch.subarray(written);
        waiting = batch.length + lines.reduce((sum, line) => sum + line.length, 0);
        if (waiting > 0) return send();
      }
      if (failing) timer ??= after(RETRY_MS, send);
      settle();
    });
  }

  process.once("exit", () => {
    if (!writing) takeLines();
    else batch = Buffer.from(lines.join(""));
    let tries = 0;
    while (batch.length > 0 && tries < LAST_TRIES) {
      try {
        batch = batch.subarray(writeSync(fd, batch));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
        tries += 1;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_WAIT_MS);
      }
    }
  });

  return {
    write(line) {
      if (waiting + line.length > WAITING_BYTES) return onLost();
      lines.push(line);
      waiting += line.length;
      if (waiting >= BATCH_BYTES && !failing) send();
      else timer ??= after(BATCH_MS, send);
    },
    flush(done) {
      flushed.push(done);
      send();
    },
  };
}
