import { describe, expect, test } from "vitest";
import { createFaults } from "../../src/sandbox/controls/faults.ts";
import { until, withSandbox } from "./merchant.ts";

test("a fault applies to `times` calls of its endpoint after `after` calls have passed", () => {
  const faults = createFaults();
  const id = faults.add({ endpoint: "upload", kind: "reset", times: 2, after: 1 });
  expect(faults.list()).toEqual([{ id, endpoint: "upload", kind: "reset", times: 2, after: 1 }]);
  const hits = (["upload", "query", "upload", "upload", "upload"] as const).map(
    (endpoint) => faults.take(endpoint)?.id,
  );
  expect(hits).toEqual([undefined, undefined, id, id, undefined]);
});

test("faults are cleared singly or all at once", () => {
  const faults = createFaults();
  const first = faults.add({ endpoint: "any", kind: "reset", times: null });
  faults.add({ endpoint: "query", kind: "html", times: Infinity });
  expect(faults.take("query")?.id).toBe(first);
  faults.clear(first);
  expect(faults.take("query")?.kind).toBe("html");
  faults.clear();
  expect(faults.take("query")).toBeUndefined();
});

describe("faults over a socket", () => {
  test("the faults status and html answer with an HTTP status and a page", () =>
    withSandbox({}, async (sandbox) => {
      sandbox.faults.add({ endpoint: "access_token", kind: "status", status: 502 });
      sandbox.faults.add({ endpoint: "access_token", kind: "html" });
      const url = `${sandbox.url}/api/oauth2/access_token`;
      expect((await fetch(url)).status).toBe(502);
      const page = await fetch(url);
      expect([page.status, page.headers.get("content-type"), await page.text()]).toEqual([
        200,
        "text/html",
        expect.stringContaining("<html>"),
      ]);
      expect(sandbox.stats).toMatchObject({ tokenGeneration: 0, calls: { access_token: 2 } });
    }));

  test("the fault code answers with the vendor's code", () =>
    withSandbox({}, async (sandbox, merchant) => {
      sandbox.faults.add({ endpoint: "access_token", kind: "code", code: "400506" });
      expect(await merchant.fetchToken()).toMatchObject({ code: "400506" });
      expect(await merchant.fetchToken()).toMatchObject({ code: "0" });
    }));

  test("reset does not execute the call, lost_reply and truncate do", () =>
    withSandbox({}, async (sandbox, merchant) => {
      sandbox.faults.add({ endpoint: "access_token", kind: "reset" });
      await expect(merchant.fetchToken()).rejects.toThrow();
      expect(sandbox.stats.tokenGeneration).toBe(0);
      sandbox.faults.add({ endpoint: "access_token", kind: "lost_reply" });
      await expect(merchant.fetchToken()).rejects.toThrow();
      expect(sandbox.stats.tokenGeneration).toBe(1);
      sandbox.faults.add({ endpoint: "access_token", kind: "truncate" });
      await expect(merchant.fetchToken()).rejects.toThrow();
      expect(sandbox.stats.tokenGeneration).toBe(2);
    }));

  test("a delay ends when the clock is turned past it", () =>
    withSandbox({}, async (sandbox, merchant) => {
      sandbox.faults.add({ endpoint: "access_token", kind: "delay", delayMs: 3_600_000 });
      const token = merchant.fetchToken();
      await until(() => sandbox.stats.tokenCallsInFlight === 1);
      expect(sandbox.stats.tokenGeneration).toBe(0);
      sandbox.advance(3_600_000);
      expect(await token).toMatchObject({ code: "0" });
    }));

  test("when the caller disconnects, delay drops the call, late still executes it, and slow_reply has already executed it", () =>
    withSandbox({}, async (sandbox) => {
      const query = `app_id=TIDA0001&version=1.0.0&grant_type=client_credential&secret=${sandbox.secret}`;
      const callAndLeave = async () => {
        const caller = new AbortController();
        const call = fetch(`${sandbox.url}/api/oauth2/access_token?${query}`, { signal: caller.signal });
        await until(() => sandbox.stats.tokenCallsInFlight === 1);
        caller.abort();
        await expect(call).rejects.toThrow();
        await until(() => sandbox.stats.tokenCallsInFlight === 0);
      };
      sandbox.faults.add({ endpoint: "access_token", kind: "delay", delayMs: 60_000 });
      sandbox.faults.add({ endpoint: "access_token", kind: "late", delayMs: 60_000 });
      sandbox.faults.add({ endpoint: "access_token", kind: "slow_reply", delayMs: 60_000 });
      await callAndLeave();
      await callAndLeave();
      expect(sandbox.stats.tokenGeneration).toBe(0);
      await callAndLeave();
      expect(sandbox.stats.tokenGeneration).toBe(1);
      sandbox.advance(60_000);
      await until(() => sandbox.stats.tokenGeneration === 2);
      expect(sandbox.breaches).toEqual([]);
    }));

  test("a stop ends hanging calls, and a new start continues with the same state and port", () =>
    withSandbox({}, async (sandbox, merchant) => {
      const { ticket } = await merchant.refresh();
      const { url } = sandbox;
      sandbox.faults.add({ endpoint: "query", kind: "delay", delayMs: 3_600_000 });
      const hanging = merchant.query(ticket, "order1");
      hanging.catch(() => undefined);
      await until(() => sandbox.stats.calls.query === 1);
      await sandbox.stop();
      await expect(hanging).rejects.toThrow();
      await expect(merchant.query(ticket, "order1")).rejects.toThrow();
      await sandbox.start();
      expect(sandbox.url).toBe(url);
      expect(await merchant.query(ticket, "order1")).toMatchObject({ code: "66660011" });
    }));
});
