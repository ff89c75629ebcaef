import http2 from "node:http2";
import net from "node:net";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { createListener, type Listener } from "../../src/server/listener.ts";
import { eventually } from "../support/harness.ts";

const NO_SLOW_READERS = { watch: () => undefined, watchStream: () => undefined };
let listener: Listener | undefined;
afterEach(async () => {
  await listener?.stop();
  listener = undefined;
});

/** An h2c listener whose minutes pass in fractions of a second. */
async function open(): Promise<{ host: string; port: number }> {
  listener = createListener({
    address: { host: "127.0.0.1", port: 0 },
    cleartext: "h2c",
    plugins: [],
    closing: new AbortController(),
    slowReaders: NO_SLOW_READERS,
    drainMs: 1_000,
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 200, signal) },
    events: { requestTurnedAway: () => undefined },
  });
  await listener.start();
  const [host = "", port] = listener.address().split(":");
  return { host, port: Number(port) };
}

test("a silent HTTP/2 connection is pinged and stays open", async () => {
  const { host, port } = await open();
  const session = http2.connect(`http://${host}:${port}`);
  let pings = 0;
  session.on("ping", () => pings++);
  await eventually(() => pings >= 3);
  expect(session.closed).toBe(false);
  const stream = session.request({ ":path": "/" });
  const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) => stream.once("response", resolve));
  expect(headers[":status"]).toBe(404);
  stream.close();
  session.destroy();
});

test("the connection of a peer that acknowledges no ping is closed", async () => {
  const address = await open();
  const socket = net.connect(address);
  // A preface and empty settings, then silence.
  socket.write(
    Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    ]),
  );
  socket.on("error", () => undefined);
  socket.resume();
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
});
