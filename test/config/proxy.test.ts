import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";
import { describe, expect, test } from "vitest";
import { createDispatchers } from "../../src/upstream/connection.ts";
import { configOf, problemsOf } from "./problems.ts";

const proxyOf = (env: Record<string, string>) => configOf(env).proxy;

describe("the proxy variables", () => {
  test.each<[Record<string, string>, string | undefined]>([
    [{}, undefined],
    [{ https_proxy: "127.0.0.1:3128" }, "http://127.0.0.1:3128/"],
    [{ https_proxy: "proxy.corp.example:3128/" }, "http://proxy.corp.example:3128/"],
    [{ HTTPS_PROXY: "user:p%40ss@proxy:3128" }, "http://user:p%40ss@proxy:3128/"],
    [{ HTTPS_PROXY: "[::1]:3128" }, "http://[::1]:3128/"],
    [{ HTTPS_PROXY: "HTTP://proxy:3128" }, "http://proxy:3128/"],
    [{ HTTPS_PROXY: "https://proxy:3129" }, "https://proxy:3129/"],
    [{ ALL_PROXY: "socks5h://proxy:1080" }, "socks5://proxy:1080"],
    [{ ALL_PROXY: "proxy:1" }, "http://proxy:1/"],
    [{ all_proxy: "lower:1", ALL_PROXY: "upper:1" }, "http://lower:1/"],
    [{ HTTPS_PROXY: "special:1", all_proxy: "all:1" }, "http://special:1/"],
    [{ https_proxy: "", HTTPS_PROXY: "upper:1" }, "http://upper:1/"],
    // For http calls, which go only to this machine.
    [{ http_proxy: "127.0.0.1:3128", HTTP_PROXY: "http://" }, undefined],
  ])("the variables %j select the proxy that curl would use", (env, url) => {
    expect(proxyOf(env)?.url).toBe(url);
  });

  test.each([
    ["HTTPS_PROXY", "http://"],
    ["https_proxy", "http://u:topsecret@"],
    ["https_proxy", "http://u:%topsecret@proxy:1"],
    ["all_proxy", "socks4://topsecret:1080"],
    ["ALL_PROXY", "proxy:topsecret"],
  ])("an invalid proxy %s=%s is reported without its value", (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([
      `${name}: must be host:port, or the URL of a proxy by http, https or socks5`,
    ]);
  });

  test("hosts in NO_PROXY bypass the proxy", () => {
    expect(proxyOf({ https_proxy: "a:1", NO_PROXY: ".corp" })).toEqual({
      url: "http://a:1/",
      noProxy: ".corp",
    });
    expect(proxyOf({ https_proxy: "a:1", no_proxy: "x", NO_PROXY: "y" })?.noProxy).toBe("x");
  });
});

test("a proxy without a scheme tunnels https calls and not http calls", async () => {
  const asked: string[] = [];
  const proxy = createServer((_request, response) => void response.end("direct"));
  proxy.on("connect", ({ url = "" }, socket) => {
    asked.push(url);
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  const dispatchers = createDispatchers({
    connections: 1,
    proxy: proxyOf({ https_proxy: `127.0.0.1:${port}` }),
  });
  const get = { path: "/", method: "GET" } as const;
  const { pooled } = dispatchers;
  await expect(pooled.request({ origin: "https://vendor.invalid", ...get })).rejects.toThrow();
  expect(asked).toEqual(["vendor.invalid:443"]);
  const { body } = await pooled.request({ origin: `http://127.0.0.1:${port}`, ...get });
  expect(await body.text()).toBe("direct");
  await dispatchers.close();
  proxy.close();
});

test("a SOCKS proxy receives the vendor's host name unresolved", async () => {
  const asked: string[] = [];
  // RFC 1928, as far as its refusal (2, not allowed): greeting, then a request with address type 3, a domain name.
  const proxy = createSocketServer((socket) => {
    socket.once("data", () => {
      socket.write(Uint8Array.of(5, 0));
      socket.once("data", (request) => {
        const end = 5 + (request[4] ?? 0);
        asked.push(`${request.subarray(5, end).toString()}:${request.readUInt16BE(end)}`);
        socket.end(Uint8Array.of(5, 2, 0, 1, 0, 0, 0, 0, 0, 0));
      });
    });
    socket.on("error", () => undefined);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  const dispatchers = createDispatchers({
    connections: 1,
    proxy: proxyOf({ ALL_PROXY: `socks5h://127.0.0.1:${port}` }),
  });
  const { pooled } = dispatchers;
  await expect(
    pooled.request({ origin: "https://vendor.invalid", path: "/", method: "GET" }),
  ).rejects.toThrow();
  expect(asked).toContain("vendor.invalid:443");
  await dispatchers.close();
  proxy.close();
});
