import { request as httpRequest } from "node:http";
import fastify from "fastify";
import { expect, test } from "vitest";
import { createPairing, isFromHere, networkHost } from "../../src/sandbox/pairing/pairing.ts";
import { addPairing, readPrefix } from "../../src/sandbox/pairing/routes.ts";
import { createSandbox } from "../../src/sandbox/sandbox.ts";

const FAR = "192.0.2.77";
const ADDRESS = "http://192.0.2.1:8090";

/** A listener with the pairing, and a request to it from another machine. */
function open() {
  const pairing = createPairing();
  const app = fastify({ rewriteUrl: readPrefix });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
  addPairing(app, pairing, () => ADDRESS);
  app.get("/sandbox/stats", () => ({ secret: "stats" }));
  app.get("/api/oauth2/access_token", () => ({ code: "0" }));
  const from =
    (remoteAddress: string) =>
    (url: string, options: { json?: object; cookie?: string } = {}) =>
      app.inject({
        url,
        remoteAddress,
        method: options.json ? "POST" : "GET",
        headers: { "content-type": "application/json", ...(options.cookie && { cookie: options.cookie }) },
        ...(options.json && { payload: JSON.stringify(options.json) }),
      });
  return { pairing, far: from(FAR), near: from("127.0.0.1") };
}

test("another machine is refused until it is paired; its cookie or its base URL let it in", async () => {
  const { pairing, far, near } = open();
  for (const path of ["/sandbox/stats", "/api/oauth2/access_token", "/sandbox/pairing", "/nothing"]) {
    expect((await far(path)).statusCode, path).toBe(403);
  }
  expect((await far("/")).headers.location).toBe("/pair");
  expect((await near("/sandbox/stats")).statusCode).toBe(200);
  expect((await far("/pair", { json: { code: "00000000x" } })).statusCode).toBe(403);

  const code = pairing.code() ?? "";
  expect(code).toMatch(/^\d{8}$/);
  const paired = await far("/pair", { json: { code } });
  const { token, base_url: base } = paired.json<{ token: string; base_url: string }>();
  expect(base).toBe(`${ADDRESS}/paired/${token}`);
  const cookie = String(paired.headers["set-cookie"]);
  expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
  expect((await far("/sandbox/stats", { cookie: cookie.split(";")[0] ?? "" })).statusCode).toBe(200);
  expect((await far(`/paired/${token}/sandbox/stats`)).statusCode).toBe(200);
  expect((await far(`/paired/${"x".repeat(32)}/sandbox/stats`)).statusCode).toBe(403);
  // A code lets one device in.
  expect((await far("/pair", { json: { code } })).statusCode).toBe(403);
});

test("only this machine sees the code, or asks for another", async () => {
  const { pairing, far, near } = open();
  const { token } = (await far("/pair", { json: { code: pairing.code() } })).json<{ token: string }>();
  expect((await far(`/paired/${token}/sandbox/pairing`)).json()).toEqual({ open: false });
  expect((await far(`/paired/${token}/sandbox/pairing/qr.svg`)).statusCode).toBe(404);
  const shown = (await near("/sandbox/pairing")).json<{ link: string; code: string }>();
  expect(shown).toEqual({ open: true, code: pairing.code(), link: `${ADDRESS}/pair#${pairing.code()}` });
  const qr = await near("/sandbox/pairing/qr.svg");
  expect([qr.headers["content-type"], qr.body.slice(0, 4)]).toEqual(["image/svg+xml", "<svg"]);
  await near("/sandbox/pairing", { json: {} });
  expect(pairing.code()).not.toBe(shown.code);
});

test("after twenty wrong codes nothing pairs, until this machine asks for another code", async () => {
  const { pairing, far } = open();
  const code = pairing.code() ?? "";
  for (let i = 0; i < 20; i++) await far("/pair", { json: { code: "wrong" } });
  expect(pairing.code()).toBeUndefined();
  expect((await far("/pair", { json: { code } })).statusCode).toBe(403);
  expect((await far("/pair", { json: { code: "undefined" } })).statusCode).toBe(403);
  pairing.renew();
  expect((await far("/pair", { json: { code: pairing.code() } })).statusCode).toBe(200);
});

test.each([
  ["127.0.0.1", "127.0.0.1", true],
  ["::ffff:127.0.0.1", "::ffff:127.0.0.1", true],
  ["::1", "::1", true],
  ["192.0.2.1", "192.0.2.1", true],
  ["192.0.2.77", "192.0.2.1", false],
  ["::ffff:192.0.2.77", "::ffff:192.0.2.1", false],
  ["10.127.0.1", "192.0.2.1", false],
])("a connection from %s to %s is from this machine: %s", (remoteAddress, localAddress, expected) => {
  expect(isFromHere({ remoteAddress, localAddress })).toBe(expected);
});

test("an open sandbox is reached here by loopback, and still answers no rebound page", async () => {
  const sandbox = createSandbox({ host: "0.0.0.0" });
  await sandbox.start();
  try {
    expect(sandbox.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(sandbox.networkUrl).toContain(networkHost("0.0.0.0"));
    expect((await fetch(`${sandbox.url}/sandbox/stats`)).status).toBe(200);
    expect(await statusFor(sandbox.url, "evil.example")).toBe(403);
    // The Android emulator's name for this machine is an address.
    expect(await statusFor(sandbox.url, "10.0.2.2:8090")).toBe(200);
  } finally {
    await sandbox.stop();
  }
});

function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    httpRequest(`${url}/sandbox/stats`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
}
