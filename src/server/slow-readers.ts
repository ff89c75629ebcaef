import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";

export interface SlowReadersOptions {
  /** Max bytes waiting to be read by clients, over all connections. */
  mostBytes: number;
  clock: Clock;
  events: Pick<ServiceEvents, "readerDropped">;
}

/** Watches the connections of all listeners for clients that leave responses unread. */
export interface SlowReaders {
  /** Watches a socket until it closes. */
  watch(socket: Socket): void;
  /** Watches an HTTP/2 stream until it closes. */
  watchStream(stream: ServerHttp2Stream, socket: Socket): void;
  /** Waits until no more than `mostBytes` are unread. Rejects with the signal's reason if it aborts first. */
  awaitRoom(signal: AbortSignal): Promise<void>;
}

/**
 * Reading fewer bytes than this is not progress, or a few clients that trickle could use up the room for everyone's
 * files. In the shorter of the times below, HTTP/2's default window of 64 KiB carries it over a round trip of 370 ms.
 */
const PROGRESS_BYTES = 512 * 1024;
/** How long a client may make no progress, and how long while too many bytes wait, milliseconds. */
const STALL_MS = 60_000;
const CROWDED_STALL_MS = 3_000;
const SWEEP_MS = 200;
/** How often a waiting response looks for room, milliseconds: a client that reads frees megabytes in less. */
const ROOM_MS = 20;

interface Reader {
  streams: Set<ServerHttp2Stream>;
  /** Bytes taken at the last progress, and when that was. */
  taken: number;
  since: number;
}

/**
 * Closes connections whose clients do not read their responses. A response stays in memory until it is read,
 * and no call limit counts an answered call. Closing takes seconds, since a client may be slow, and in that time
 * videos for 60 clients take half a gigabyte: so large responses wait for room.
 */
export function createSlowReaders({ mostBytes, clock, events }: SlowReadersOptions): SlowReaders {
  const readers = new Map<Socket, Reader>();
  let sweeping = false;

  function unread(): number {
    let sum = 0;
    for (const [socket, reader] of readers) sum += waitingOn(socket, reader);
    return sum;
  }

  function sweep(): void {
    const now = clock.monotonic();
    let sum = 0;
    const stalled: { socket: Socket; waitingBytes: number; stalledMs: number }[] = [];
    for (const [socket, reader] of readers) {
      const waitingBytes = waitingOn(socket, reader);
      const taken = takenFrom(socket);
      if (waitingBytes === 0 || taken - reader.taken >= PROGRESS_BYTES) {
        reader.taken = taken;
        reader.since = now;
      }
      sum += waitingBytes;
      const stalledMs = now - reader.since;
      if (stalledMs >= CROWDED_STALL_MS) stalled.push({ socket, waitingBytes, stalledMs });
    }
    stalled.sort((a, b) => b.stalledMs - a.stalledMs || b.waitingBytes - a.waitingBytes);
    for (const { socket, ...dropped } of stalled) {
      const crowded = sum > mostBytes;
      if (!crowded && dropped.stalledMs < STALL_MS) break;
      sum -= dropped.waitingBytes;
      events.readerDropped({ ...dropped, crowded });
      readers.delete(socket);
      socket.destroy();
    }
  }

  async function sweepOn(): Promise<void> {
    sweeping = true;
    while (readers.size > 0) {
      await clock.sleep(SWEEP_MS);
      sweep();
    }
    sweeping = false;
  }

  return {
    watch(socket) {
      if (readers.has(socket)) return;
      readers.set(socket, { streams: new Set(), taken: 0, since: clock.monotonic() });
      socket.once("close", () => readers.delete(socket));
      if (!sweeping) void sweepOn();
    },
    watchStream(stream, socket) {
      const streams = readers.get(socket)?.streams;
      streams?.add(stream);
      stream.once("close", () => streams?.delete(stream));
    },
    async awaitRoom(signal) {
      while (unread() > mostBytes) await clock.sleep(ROOM_MS, signal);
    },
  };
}

function waitingOn(socket: Socket, { streams }: Reader): number {
  let sum = socket.writableLength;
  for (const { writableLength } of streams) sum += writableLength;
  return sum;
}

/**
 * Bytes that the kernel has taken. Node counts a write when it begins; only the handle knows how much of it
 * is still queued, and without that a single large response would look stalled until it ends.
 */
function takenFrom(socket: Socket): number {
  const { _handle: handle } = socket as {
    _handle?: { bytesWritten?: number; writeQueueSize?: number } | null;
  };
  return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0);
}
