import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { startHarness } from "../support/harness.ts";

const person = { name: "张三", id_no: "11010519491231002X" };
const LIMIT = 5;
/** One trusted proxy, on this machine, that reports each client's address. */
const env = { LIMIT_PER_IP: `${LIMIT}/m`, TRUSTED_PROXIES: "127.0.0.0/8" };
const from = (address: string) => ({ "x-forwarded-for": address });

describe("requests of one address are counted before anything else", () => {
  test.each<[string, string, { body: string; headers?: Record<string, string> }]>([
    [
      "wrong tokens",
      "/get_result",
      { body: "order_no=x", headers: { authorization: `Bearer ${"x".repeat(20)}` } },
    ],
    ["broken forms", "/get_result", { body: "order_no=%zz" }],
    ["bodies that are no form", "/get_result", { body: "{}", headers: { "content-type": "text/plain" } }],
    ["routes that do not exist", "/wp-login.php", { body: "x=1" }],
    [
      "broken JSON",
      "/faceverification.v1.FaceVerificationService/GetResult",
      { body: "{", headers: { "content-type": "application/json" } },
    ],
    [
      "JSON with a wrong token",
      "/faceverification.v1.FaceVerificationService/GetResult",
      { body: "{}", headers: { "content-type": "application/json", authorization: "Bearer wrong" } },
    ],
  ])("a flood of %s from one address is counted before anything else", async (_what, path, init) => {
    await using harness = await startHarness({ env: { ...env, HTTP_AUTH_TOKENS: `shop:${"s".repeat(20)}` } });
    const send = async (address: string) => {
      const headers = {
        "content-type": "application/x-www-form-urlencoded",
        ...init.headers,
        ...from(address),
      };
      const response = await fetch(harness.http + path, { method: "POST", ...init, headers });
      return {
        status: response.status,
        retryAfter: response.headers.get("retry-after"),
        text: await response.text(),
      };
    };
    const answers = [];
    for (let i = 0; i < 40; i++) answers.push(await send("203.0.113.7"));
    expect(answers.slice(0, LIMIT).map(({ status }) => status)).not.toContain(429);
    expect(new Set(answers.slice(LIMIT).map(({ status }) => status))).toEqual(new Set([429]));
    expect(Number(answers.at(-1)?.retryAfter)).toBeGreaterThan(0);
    expect((await send("203.0.113.8")).status).not.toBe(429);
    // Each leaves one line, with its outcome.
    const refused = harness.logs.filter(({ outcome }) => outcome === "RATE_LIMITED");
    expect(refused).toHaveLength(40 - LIMIT);
  });

  test.each([
    ["an IPv6 /64", ["2001:db8::1", "2001:DB8:0:0:ffff::2", "[2001:db8::3]:443", "2001:db8:0:0:4::"]],
    [
      "spellings of an IPv4 address",
      ["203.0.113.7", "::ffff:203.0.113.7", "203.0.113.7:1234", "::ffff:cb00:7107"],
    ],
    ["this machine's own, as a proxy's word", ["127.0.0.1", "127.0.0.1", "127.0.0.1:80", "::ffff:127.0.0.1"]],
    ["what is no address", ["unknown", "_x", "<script>", "张三"]],
  ])("%s counts as one address", async (_what, addresses) => {
    await using harness = await startHarness({ env: { ...env, LIMIT_PER_IP: "3/m" } });
    const statuses = [];
    for (const address of addresses) {
      // Not by fetch, which refuses bytes beyond Latin-1.
      statuses.push(await rawForm(harness.http, Buffer.from(address).toString("latin1")));
    }
    expect(statuses).toEqual([404, 404, 404, 429]);
    expect(JSON.stringify(harness.logs)).not.toMatch(/script|_x|张三/);
  });

  test("a client behind a trusted proxy cannot choose its address", async () => {
    await using harness = await startHarness({ env: { ...env, LIMIT_PER_IP: "3/m" } });
    const statuses = [];
    for (let i = 0; i < 4; i++) {
      const claims = `10.9.8.${i}, 203.0.113.7`;
      statuses.push((await harness.form("/get_result", { order_no: "x" }, from(claims))).status);
    }
    expect(statuses).toEqual([404, 404, 404, 429]);
  });
});

test("one address does not exhaust the limit of a caller name shared by many", async () => {
  await using harness = await startHarness({
    env: { LIMIT_PER_CALLER: "3/m", TRUSTED_PROXIES: "127.0.0.0/8" },
  });
  const ask = async (address: string) =>
    (await harness.form("/get_result", { order_no: "x" }, from(address))).status;
  const greedy = [];
  for (let i = 0; i < 4; i++) greedy.push(await ask("203.0.113.7"));
  expect(greedy).toEqual([404, 404, 404, 429]);
  expect(await ask("203.0.113.8")).toBe(404);
});

describe("FORM_STRICT=enforce", () => {
  test("a form of 65 KB gets a short response and a short log line", async () => {
    await using harness = await startHarness({ env: { FORM_STRICT: "enforce" } });
    const body = Array.from({ length: 9_000 }, (_, i) => `f${i}=1`).join("&");
    const path = `/get_result?${Array.from({ length: 800 }, (_, i) => `q${i}=1`).join("&")}`;
    for (const form of [body.slice(0, 60_000), { order_no: "x", extra: "1", another: "2" }]) {
      const lines = harness.logs.length;
      const answer = await harness.form(path, form);
      expect(answer.status).toBe(400);
      expect(JSON.stringify(answer.body).length).toBeLessThan(1_000);
      const logged = harness.logs.slice(lines).map((line) => JSON.stringify(line));
      expect(logged).toHaveLength(1);
      expect(logged[0]?.length).toBeLessThan(1_000);
    }
  });

  test("a form is not inspected for a caller that is not admitted", async () => {
    const tokens = { HTTP_AUTH_TOKENS: `shop:${"s".repeat(20)}` };
    await using harness = await startHarness({ env: { FORM_STRICT: "enforce", ...tokens } });
    const answer = await harness.form("/get_face_params", { ...person, extra: "1" });
    expect([answer.status, answer.body.fields]).toEqual([401, undefined]);
  });
});

describe("a page of another site", () => {
  const REFRESH = "/faceverification.v1.TicketAdminService/ForceRefresh";
  const send = (base: string, path: string, headers: Record<string, string>) =>
    new Promise<number>((resolve, reject) => {
      const sent = request(base + path, { method: "POST", headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.on("error", reject);
      sent.end("{}");
    });
  const json = { "content-type": "application/json" };

  test.each([
    ["rebinds its name", { ...json, host: "evil.example" }],
    ["asks from its origin", { ...json, origin: "http://evil.example" }],
  ])(
    "a page of another site that %s can neither force a refresh nor use the sandbox's controls",
    async (_what, headers) => {
      await using harness = await startHarness();
      const before = harness.wire.of("access_token").length;
      expect(await send(harness.admin, REFRESH, headers)).toBe(403);
      expect(harness.wire.of("access_token")).toHaveLength(before);
      expect(await send(harness.sandbox.url, "/sandbox/rotate", headers)).toBe(403);
      expect(harness.logs.filter(({ outcome }) => outcome === "PERMISSION_DENIED")).toHaveLength(1);
    },
  );

  test("configured host names are accepted, and text/plain cannot use the sandbox's controls", async () => {
    await using harness = await startHarness({ env: { ADMIN_HOSTS: "admin.internal" } });
    expect(await send(harness.admin, REFRESH, { ...json, host: "Admin.Internal:9090" })).toBe(200);
    expect(await send(harness.admin, REFRESH, { ...json, host: "other.internal" })).toBe(403);
    expect(await send(harness.sandbox.url, "/sandbox/latency", { "content-type": "text/plain" })).toBe(415);
  });
});

/** Posts a form with a header as these bytes. */
function rawForm(base: string, forwardedFor: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/x-www-form-urlencoded", "x-forwarded-for": forwardedFor };
    const sent = request(`${base}/get_result`, { method: "POST", headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject);
    sent.end("order_no=x");
  });
}
