import { expect, test } from "vitest";
import { seededRandom } from "../../src/sandbox/random.ts";
import { createSandbox } from "../../src/sandbox/sandbox.ts";
import { withSandbox } from "./merchant.ts";

test("the controls serve the catalogue, the rules and the counts", () =>
  withSandbox({}, async (_sandbox, { request, refresh }) => {
    await refresh();
    const { scenarios } = await request("/sandbox/scenarios");
    expect(scenarios).toContainEqual(
      expect.objectContaining({ name: "passed", code: "0", idNo: "119999199001010012" }),
    );
    expect((await request("/sandbox/rules"))["rules"]).toHaveProperty("overlapping_refresh");
    expect(await request("/sandbox/stats")).toMatchObject({
      calls: { access_token: 1, sign_ticket: 1 },
      codes: { access_token: { "0": 1 } },
      tokenGeneration: 1,
      maxTokenCallsInFlight: 1,
      overlappingRefreshes: 0,
      shortestTokenIntervalMs: null,
    });
  }));

test("the controls list and clear breaches", () =>
  withSandbox({}, async (_sandbox, { request, fetchToken }) => {
    await fetchToken({ version: "2" });
    expect(await request("/sandbox/breaches")).toMatchObject({ breaches: [{ rule: "version_wrong" }] });
    expect(await request("/sandbox/breaches", { method: "DELETE" })).toEqual({ breaches: [] });
  }));

test("the controls turn the sandbox clock, forward only", () =>
  withSandbox({}, async (sandbox, { request, post }) => {
    const before = sandbox.now();
    const turned = await post("/sandbox/clock", { advance_ms: 60_000 });
    expect(turned["now"]).toBeGreaterThanOrEqual(before + 60_000);
    expect(await request("/sandbox/clock")).toHaveProperty("now");
    expect(await post("/sandbox/clock", { advance_ms: -1 })).toMatchObject({ code: "400" });
    expect(await post("/sandbox/clock", {})).toMatchObject({ code: "400" });
  }));

test("the controls rotate and revoke the token and change the secret", () =>
  withSandbox({}, async (sandbox, { post, refresh, upload }) => {
    const { ticket } = await refresh();
    expect(await post("/sandbox/rotate", {})).toEqual({ token_generation: 2 });
    expect(await upload(ticket)).toMatchObject({ code: "0" });
    await post("/sandbox/revoke", {});
    expect(await upload(ticket)).toMatchObject({ code: "400101" });
    expect(await post("/sandbox/secret", { secret: "short" })).toMatchObject({ code: "400" });
    expect(await post("/sandbox/secret", { secret: "n".repeat(64) })).toEqual({});
    expect(sandbox.secret).toBe("n".repeat(64));
  }));

test("the controls script faults", () =>
  withSandbox({}, async (sandbox, { request, post }) => {
    expect(
      await post("/sandbox/faults", { endpoint: "query", kind: "delay", delay_ms: 5, times: null }),
    ).toEqual({ id: 1 });
    expect(await post("/sandbox/faults", { endpoint: "any", kind: "status", status: 500, after: 2 })).toEqual(
      { id: 2 },
    );
    expect(sandbox.faults.list()).toEqual([
      { id: 1, endpoint: "query", kind: "delay", delayMs: 5, times: Infinity, after: 0 },
      { id: 2, endpoint: "any", kind: "status", status: 500, times: 1, after: 2 },
    ]);
    await request("/sandbox/faults/1", { method: "DELETE" });
    expect(await request("/sandbox/faults")).toMatchObject({ faults: [{ id: 2 }] });
    await request("/sandbox/faults", { method: "DELETE" });
    expect(sandbox.faults.list()).toEqual([]);
    for (const wrong of [
      { endpoint: "nothing", kind: "reset" },
      { endpoint: "query", kind: "nothing" },
      { endpoint: "query", kind: "delay", delay_ms: "5" },
    ]) {
      expect(await post("/sandbox/faults", wrong)).toMatchObject({ code: "400" });
    }
  }));

test("the controls complete an order without a launch", () =>
  withSandbox({}, async (sandbox, { post, refresh, upload, query }) => {
    const { ticket } = await refresh();
    await upload(ticket, { orderNo: "order1" });
    await upload(ticket, { orderNo: "order2" });
    expect(await post("/sandbox/orders/order1", { outcome: "occluded" })).toMatchObject({ code: "0" });
    expect(await query(ticket, "order1")).toMatchObject({ code: "66660041" });
    sandbox.complete("order2");
    expect(await query(ticket, "order2")).toMatchObject({ code: "0" });
    expect(await post("/sandbox/orders/order3", {})).toMatchObject({ code: "400" });
    expect(await post("/sandbox/orders/order1", { outcome: "nonsense" })).toMatchObject({ code: "400" });
  }));

test("an unknown path is answered with 404 in JSON", () =>
  withSandbox({}, async (sandbox) => {
    const response = await fetch(`${sandbox.url}/api/nothing`);
    expect([response.status, await response.json()]).toEqual([404, { code: "404", msg: "no such path" }]);
  }));

test("sandboxes with the same seed issue the same secret and tokens", async () => {
  const issue = async () => {
    let values: readonly string[] = [];
    await withSandbox({ random: seededRandom(7) }, async (sandbox, { refresh }) => {
      await refresh();
      values = [sandbox.secret, ...sandbox.issuedValues()];
    });
    return values;
  };
  const first = await issue();
  expect(first).toHaveLength(3);
  expect(await issue()).toEqual(first);
});

test("a sandbox checks the lengths of app id and secret, and has no address before its start", () => {
  expect(() => createSandbox({ appId: "short" })).toThrow(RangeError);
  expect(() => createSandbox({ secret: "short" })).toThrow(RangeError);
  expect(() => createSandbox().url).toThrow(/before its start/);
});

test("a sandbox may be stopped twice or without a start", async () => {
  const sandbox = createSandbox();
  await sandbox.stop();
  await sandbox.start();
  await expect(sandbox.start()).rejects.toThrow(/runs already/);
  await sandbox.stop();
  await sandbox.stop();
});
