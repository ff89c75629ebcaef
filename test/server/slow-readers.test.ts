import { once } from "node:events";
import net from "node:net";
import { afterEach, expect, test } from "vitest";
import { createSlowReaders } from "../../src/server/slow-readers.ts";

const LARGE = 16 * 1024 * 1024;
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server that writes to every client, watched on a clock that a test turns. */
async function open(mostBytes: number) {
  let now = 0;
  const sleepers: (() => void)[] = [];
  const dropped: { waitingBytes: number; stalledMs: number; crowded: boolean }[] = [];
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        sleepers.push(resolve);
      }),
  };
  const events = { readerDropped: (one: (typeof dropped)[number]) => void dropped.push(one) };
  const readers = createSlowReaders({ mostBytes, clock, events });
  const server = net.createServer((socket) => {
    readers.watch(socket);
    socket.on("error", () => undefined).write(Buffer.alloc(LARGE));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  closing.push(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const connect = async () => {
    const accepted = once(server, "connection");
    const client = net.connect(port, "127.0.0.1").on("error", () => undefined);
    closing.push(() => client.destroy());
    await accepted;
    return client.pause();
  };
  const pass = async (ms: number) => {
    now += ms;
    for (const wake of sleepers.splice(0)) wake();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { connect, pass, dropped, readers };
}

test("a client that reads nothing for a minute is disconnected, and one that reads is not", async () => {
  const { connect, pass, dropped } = await open(10 * LARGE);
  await connect();
  const reader = await connect();
  await pass(200);
  for (let spent = 0; spent < 50_000; spent += 10_000) await pass(10_000);
  expect(dropped).toEqual([]);
  reader.resume();
  await once(reader, "data");
  let size = 0;
  reader.on("data", (chunk: Buffer) => {
    size += chunk.length;
  });
  await expect.poll(() => size > LARGE / 2).toBe(true);
  await pass(11_000);
  await pass(1);
  expect(dropped).toHaveLength(1);
  expect(dropped[0]).toMatchObject({ crowded: false, waitingBytes: LARGE });
});

test("a client that trickles counts as one that does not read", async () => {
  const { readers, pass, dropped } = await open(LARGE / 2);
  // The kernel's buffers would hide what a client reads.
  const taking = (bytesPerSecond: number) => {
    const _handle = { bytesWritten: 0, writeQueueSize: 0 };
    const socket = { writableLength: LARGE, _handle, once: () => socket, destroy: () => socket };
    readers.watch(socket as unknown as net.Socket);
    return () => {
      _handle.bytesWritten += bytesPerSecond / 5;
    };
  };
  const clients = [taking(100 * 1024), taking(200 * 1024)];
  for (let spent = 0; spent < 10_000; spent += 200) {
    await pass(200);
    for (const take of clients) take();
  }
  expect(dropped).toHaveLength(1);
});

test("there is no room while too many bytes are unread, and a call that ends does not wait for it", async () => {
  const { connect, pass, readers } = await open(LARGE);
  await connect();
  const call = new AbortController();
  await readers.awaitRoom(call.signal);
  const reader = await connect();
  let room = false;
  const waiting = readers.awaitRoom(call.signal).then(() => {
    room = true;
  });
  const ended = new Error("the call ended");
  const other = readers.awaitRoom(AbortSignal.abort(ended));
  await expect(other).rejects.toBe(ended);
  await pass(20);
  expect(room).toBe(false);
  reader.resume();
  await expect
    .poll(async () => {
      await pass(20);
      return room;
    })
    .toBe(true);
  await waiting;
});

test("clients that do not read are disconnected until few enough bytes wait", async () => {
  const { connect, pass, dropped } = await open(2 * LARGE);
  for (let count = 0; count < 5; count++) await connect();
  await pass(200);
  await pass(2_000);
  expect(dropped).toEqual([]);
  await pass(2_000);
  expect(dropped).toHaveLength(3);
  expect(dropped.every(({ crowded }) => crowded)).toBe(true);
});
