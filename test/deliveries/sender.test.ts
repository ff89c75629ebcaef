import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createSender, type SenderOptions } from "../../src/deliveries/sender.ts";
import { createAuthority } from "../support/certificates.ts";
import { unusedPort } from "../support/harness.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const receiver = async (answer: RequestListener) =>
  `http://127.0.0.1:${await listen(createServer(answer))}/hook?k=v`;

function send(url: string, options: Partial<SenderOptions> = {}, signal = new AbortController().signal) {
  const sender = createSender({ proxy: undefined, ...options });
  stops.unshift(() => sender.close());
  return sender.send({ url, headers: { "webhook-id": "evt_1" }, body: '{"a":"é"}', signal });
}

const bodyOf = async (request: IncomingMessage) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
};

test("a webhook is a POST with its headers, path, query and body as they are", async () => {
  const seen: unknown[] = [];
  const url = await receiver((request, response) => {
    void bodyOf(request).then((body) => {
      seen.push([request.method, request.url, request.headers["webhook-id"], body]);
      response.writeHead(204).end();
    });
  });
  expect(await send(url)).toEqual({ status: 204, retryAfter: undefined });
  expect(seen).toEqual([["POST", "/hook?k=v", "evt_1", '{"a":"é"}']]);
});

test("an answer's status and Retry-After are all that is kept, and a redirect is not followed", async () => {
  let asked = 0;
  const url = await receiver((_request, response) => {
    asked += 1;
    response.writeHead(307, { location: "/elsewhere", "retry-after": "120" }).end("moved");
  });
  expect(await send(url)).toEqual({ status: 307, retryAfter: "120" });
  expect(asked).toBe(1);
});

describe("without an answer", () => {
  test("nothing listens: never sent", async () => {
    expect(await send(`http://127.0.0.1:${await unusedPort()}/`)).toEqual({
      failure: "ECONNREFUSED",
      sent: false,
    });
  });

  test("no such host: never sent", async () => {
    expect(await send("http://nosuch.invalid/")).toMatchObject({
      failure: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/),
      sent: false,
    });
  });

  test("a certificate of an unknown authority: never sent", async () => {
    using authority = createAuthority();
    const { cert, key } = authority.issue("receiver");
    const port = await listen(createSecureServer({ cert, key }, (_request, response) => response.end()));
    expect(await send(`https://127.0.0.1:${port}/`)).toMatchObject({
      failure: expect.stringMatching(/CERT|SIGN/),
      sent: false,
    });
  });

  test("no answer in time", async () => {
    const url = await receiver(() => undefined);
    expect(await send(url, { timeoutMs: 100 })).toEqual({ failure: "timeout", sent: true });
  });

  test("a broken connection", async () => {
    const url = await receiver((request) => request.socket.destroy());
    expect(await send(url)).toMatchObject({ sent: true });
  });
});

test("an endless answer is cut after a few KiB, and one that never ends after the time limit", async () => {
  let written = 0;
  const flood = await receiver((_request, response) => {
    response.writeHead(200);
    const more = () => {
      written += 65_536;
      if (!response.destroyed && written < 1e9) response.write(Buffer.alloc(65_536), () => more());
    };
    more();
  });
  expect(await send(flood)).toMatchObject({ status: 200 });
  expect(written).toBeLessThan(32 * 1024 * 1024);
  const drip = await receiver((_request, response) => void response.writeHead(200).write("x"));
  expect(await send(drip, { timeoutMs: 200 })).toMatchObject({ status: 200 });
});

test("an abort rejects with its reason", async () => {
  const stop = new AbortController();
  const url = await receiver(() => stop.abort(new Error("the process stops")));
  await expect(send(url, {}, stop.signal)).rejects.toThrow("the process stops");
});

test("https receivers are reached through the proxy, except those it must not carry", async () => {
  const tunnels: (string | undefined)[] = [];
  const proxy = createServer();
  proxy.on("connect", ({ url: target }: IncomingMessage, socket: Socket) => {
    tunnels.push(target);
    const onward = connect(Number(target?.split(":")[1]), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(onward).pipe(socket);
    });
    stops.unshift(() => onward.destroy());
  });
  using authority = createAuthority();
  const { cert, key } = authority.issue("receiver");
  const port = await listen(createSecureServer({ cert, key }, (_request, response) => response.end()));
  const through = { url: `http://127.0.0.1:${await listen(proxy)}`, noProxy: "" };
  await send(`https://127.0.0.1:${port}/`, { proxy: through });
  expect(tunnels).toEqual([`127.0.0.1:${port}`]);
  await send(`https://127.0.0.1:${port}/`, { proxy: { ...through, noProxy: "127.0.0.1" } });
  const plain = await receiver((_request, response) => response.end());
  expect(await send(plain, { proxy: through })).toMatchObject({ status: 200 });
  expect(tunnels).toEqual([`127.0.0.1:${port}`]);
});
