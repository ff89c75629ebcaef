import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UpstreamError } from "../../src/errors.ts";
import { Pii, Secret } from "../../src/lib/redacted.ts";
import { createUpstreamClient, type UpstreamClient } from "../../src/upstream/client.ts";
import { createDispatchers, type Dispatchers } from "../../src/upstream/connection.ts";
import { createTransport } from "../../src/upstream/transport.ts";

/**
 * A vendor on a thread of its own, which answers each request on a connection it keeps, until it is told to reset them all, or
 * to reset those on which something comes. On a thread of its own, so that this one can stand still until the reset is there.
 */
const VENDOR = `
const { workerData, parentPort } = require("node:worker_threads");
const { createServer } = require("node:http");
const done = new Int32Array(workerData);
const sockets = new Set();
let resets = 0;
let requests = 0;
const answer = JSON.stringify({
  code: "0", access_token: "t", expire_in: 7200, tickets: [{ value: "v", expire_in: 120 }],
  result: { orderNo: "order1", faceId: "f" },
});
const server = createServer((request, response) => {
  request.resume().on("end", () => {
    requests += 1;
    if (resets-- > 0) request.socket.resetAndDestroy();
    else response.setHeader("x-requests", requests).end(answer);
  });
});
server.keepAliveTimeout = 600_000;
server.on("connection", (socket) => {
  sockets.add(socket.on("error", () => undefined).on("close", () => sockets.delete(socket)));
});
parentPort.on("message", (order) => {
  if (order.resets !== undefined) resets = order.resets;
  if (order.idle) for (const socket of sockets) socket.resetAndDestroy();
  // The reset leaves with the turn of the loop.
  setTimeout(() => {
    done[1] = requests;
    Atomics.store(done, 0, 1);
    Atomics.notify(done, 0);
  }, 50);
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

let vendor: Worker;
let done: Int32Array;
let dispatchers: Dispatchers;
let upstream: UpstreamClient;
let observed: string[];
const { signal } = new AbortController();

beforeEach(async () => {
  const shared = new SharedArrayBuffer(8);
  done = new Int32Array(shared);
  vendor = new Worker(VENDOR, { eval: true, workerData: shared });
  const port = await new Promise<number>((resolve) => vendor.once("message", resolve));
  // One connection, so that the next request would go over the one that was reset.
  dispatchers = createDispatchers({ connections: 1, proxy: undefined });
  observed = [];
  upstream = createUpstreamClient({
    appId: "TIDA0001",
    edition: "enhanced",
    tokenParam: "app_id",
    transport: createTransport({ baseUrl: `http://127.0.0.1:${port}`, dispatchers }),
    observe: (endpoint) => (told, failure) =>
      void observed.push(
        `${endpoint} ${failure instanceof UpstreamError ? failure.failure : told?.entry.code}`,
      ),
    tokenTimeoutMs: 20_000,
    signTimeoutMs: 20_000,
    callTimeoutMs: 20_000,
  });
});
afterEach(async () => {
  await Promise.all([dispatchers.pooled.destroy(), dispatchers.fresh.destroy()]);
  await vendor.terminate();
});

/** Has the vendor do something, and stands still until it has; gives the number of requests that it has read. */
function order(what: { resets?: number; idle?: boolean }): number {
  Atomics.store(done, 0, 0);
  vendor.postMessage(what);
  Atomics.wait(done, 0, 0, 20_000);
  return done[1] as number;
}

const CALLS: Record<string, () => Promise<unknown>> = {
  nonce_ticket: () => upstream.fetchNonceTicket(new Secret("t"), "u1", signal),
  query: () => upstream.query({ orderNo: "order1", nonce: "n", sign: "s" }, signal),
  upload: () =>
    upstream.upload(
      {
        orderNo: "order1",
        name: new Pii("张三"),
        idNo: new Pii("11010519491231002X"),
        userId: "u1",
        nonce: "n",
        sign: "s",
      },
      signal,
    ),
  access_token: () => upstream.fetchAccessToken(new Secret("s"), signal),
  sign_ticket: () => upstream.fetchSignTicket(new Secret("t"), signal),
};
const call = (name: string) => (CALLS[name] as () => Promise<unknown>)();

test.each(["nonce_ticket", "query", "upload"])(
  "a call to %s succeeds although the vendor has reset the idle connection",
  async (name) => {
    await call(name);
    order({ idle: true });
    await call(name);
    expect(observed).toEqual([`${name} 0`, `${name} not_sent`, `${name} 0`]);
    expect(order({})).toBe(2);
  },
);

test.each(["nonce_ticket", "query"])(
  "a call to %s that was read and then reset is retried once",
  async (name) => {
    order({ resets: 1 });
    await call(name);
    expect(observed).toEqual([`${name} broken`, `${name} 0`]);
    expect(order({})).toBe(2);
  },
);

test.each(["nonce_ticket", "query"])("a call to %s is retried no more than once", async (name) => {
  order({ resets: 2 });
  await expect(call(name)).rejects.toMatchObject({ failure: "broken" });
  expect(order({})).toBe(2);
});

test("an upload that the vendor may have read is not retried", async () => {
  order({ resets: 1 });
  await expect(call("upload")).rejects.toMatchObject({ failure: "broken" });
  expect(order({})).toBe(1);
});

test.each(["access_token", "sign_ticket"])("a call to %s is never retried", async (name) => {
  await call(name);
  order({ idle: true });
  await expect(call(name)).rejects.toMatchObject({ failure: "not_sent" });
  order({ resets: 1 });
  await expect(call(name)).rejects.toMatchObject({ failure: "broken" });
  expect(order({})).toBe(2);
});
