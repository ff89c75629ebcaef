import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { frozenClock, PERSON, withSandbox } from "./merchant.ts";

test("the picture shows lifetimes and calls, and contains no values", () =>
  withSandbox({ latencyMs: 0 }, async (sandbox, { request, refresh, launch }) => {
    await refresh();
    sandbox.advance(10_000);
    const pair = await refresh();
    await launch(pair);
    const picture = await request("/sandbox/picture");
    const now = sandbox.now();
    sandbox.rotate();
    expect(sandbox.picture.tokens.map(({ foreign }) => foreign)).toEqual([true, false, false]);
    expect(picture).toMatchObject({
      now,
      latencyMs: 0,
      tokens: [
        { generation: 2, issuedAt: now, expiresAt: now + 7_200_000 },
        { generation: 1, issuedAt: now - 10_000, expiresAt: now + 60_000 },
      ],
      signTickets: [{ generation: 2 }, { generation: 1, expiresAt: now + 60_000 }],
      stats: { calls: { access_token: 2 } },
    });
    const calls = picture["calls"] as { endpoint: string; code: string; endedAt: number }[];
    expect(calls.map(({ endpoint }) => endpoint)).toEqual([
      "access_token",
      "sign_ticket",
      "access_token",
      "sign_ticket",
      "upload",
      "nonce_ticket",
    ]);
    expect(calls.every(({ code, endedAt }) => code === "0" && endedAt >= 0)).toBe(true);
    const text = JSON.stringify(picture);
    for (const value of [...sandbox.issuedValues(), sandbox.secret, PERSON.name, PERSON.idNo]) {
      expect(text).not.toContain(value);
    }
  }));

test("every call takes the most recently set latency", () =>
  withSandbox({}, async (sandbox, { request, post, fetchToken }) => {
    expect(await post("/sandbox/latency", { latency_ms: 500 })).toEqual({ latency_ms: 500 });
    const answered = fetchToken();
    let calls: { startedAt: number; endedAt?: number }[] = [];
    while (calls.length === 0) calls = (await request("/sandbox/picture"))["calls"] as typeof calls;
    expect(calls[0]).not.toHaveProperty("endedAt");
    sandbox.advance(500);
    expect(await answered).toMatchObject({ code: "0" });
    const [call] = sandbox.picture.calls;
    expect((call?.endedAt ?? 0) - (call?.startedAt ?? 0)).toBe(500);
    expect(await post("/sandbox/latency", { latency_ms: "soon" })).toMatchObject({ code: "400" });
  }));

test("the console is served with a strict content security policy", () =>
  withSandbox({}, async ({ url }) => {
    const page = await fetch(`${url}/`);
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const html = await page.text();
    expect(html).not.toMatch(/https?:\/\/|\sstyle=|\son\w+=|<script(?! type="module" src="\/console\/)/);
    for (const [, path = ""] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      expect((await fetch(url + path)).status, path).toBe(200);
    }
    expect((await fetch(`${url}/console/..%2f..%2fpackage.json`)).status).toBe(404);
  }));

test("the pass-through forwards a form and its response, and reports an unreachable backend", () =>
  withSandbox({}, async (sandbox, { post, request }) => {
    const form = "application/x-www-form-urlencoded";
    expect(await post("/get_face_params", "name=x", form)).toMatchObject({ code: "404" });
    expect(await request("/sandbox/backend")).toMatchObject({ url: null, can_drop_store: false });

    const seen: string[] = [];
    const server = createServer((incoming, response) => {
      incoming.setEncoding("utf8").on("data", (chunk: string) => seen.push(`${incoming.url} ${chunk}`));
      incoming.on("end", () => {
        response.writeHead(429, { "content-type": "application/json" });
        response.end('{"code":"429"}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    let dropped = 0;
    sandbox.connect({ url, refreshIntervalMs: 1000, dropStore: () => dropped++ });
    const response = await fetch(`${sandbox.url}/get_result`, {
      method: "POST",
      headers: { "content-type": form },
      body: "order_no=1",
    });
    expect([response.status, await response.json(), seen]).toEqual([
      429,
      { code: "429" },
      ["/get_result order_no=1"],
    ]);
    expect(await request("/sandbox/backend")).toMatchObject({ url, refresh_interval_ms: 1000 });
    expect(await post("/sandbox/backend/drop_store", {})).toEqual({});
    expect(dropped).toBe(1);

    await new Promise((resolve) => server.close(resolve));
    expect(await post("/get_result", "order_no=1", form)).toMatchObject({ code: "502" });
  }));

test("sleepers on a shared clock wake when the sandbox turns it", async () => {
  const clock = createTurnableClock(frozenClock());
  const [now, age] = [clock.now(), clock.monotonic()];
  const woken = clock.sleep(1000);
  clock.advance(1000);
  await woken;
  expect([clock.now() - now, clock.monotonic() - age]).toEqual([1000, 1000]);
});
