import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runDoctor } from "../../src/doctor/main.ts";
import { startHarness } from "../support/harness.ts";
import { missingRedis, startRedis, stopRedis } from "../support/redis.ts";
import { committed } from "./committed.ts";

const NONCE = "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T";
const TICKETS = {
  a: "XO99Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS",
  c: "FxlAe3HFtEy73Um0pJNzIUriwtfnS3KRcPXiesd5ulS4XRAIcT0FbfaP52dwZf5S",
  d: "duSz9ptwyW1Xn7r6gYItxz3feMdJ8Na5x7JZuoxurE7RcI5TdwCE4KT2eEeNNDoe",
};
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "explain-"));
  for (const [name, ticket] of Object.entries(TICKETS)) writeFileSync(join(directory, name), `${ticket}\n`);
});
afterAll(() => rmSync(directory, { recursive: true }));

const explain = (call: string, ticket: keyof typeof TICKETS, ...args: string[]) =>
  runDoctor(["explain", call, "--ticket-file", join(directory, ticket), ...args], {});

test.each([
  // Vectors A, C and D of the vendor's pages, with the order of the joined string.
  [
    "launch",
    "a",
    ["--app-id", "IDAXXXXX", "--user-id", "userID19959248596551", "--nonce", NONCE],
    "D7606F1741DDCF90757DA924EDCF152A200AC7F0",
    ["version", "appId", "ticket", "nonce", "userId"],
  ],
  [
    "query",
    "c",
    ["--app-id", "appId001", "--order-no", "aabc1457895464", "--nonce", NONCE],
    "993D057C652D97FD90D5D298F2E5DC4B8D893CBC",
    ["version", "ticket", "orderNo", "appId", "nonce"],
  ],
  [
    "callback",
    "d",
    ["--app-id", "appId001", "--order-no", "test1480921551481", "--code", "0"],
    "526365E042766AE27A6E52D2E4829D4C6E156B5D",
    ["code", "appId", "ticket", "orderNo"],
  ],
] as const)("explain %s shows values, order, lengths and result", async (call, ticket, args, sign, order) => {
  const { text, exitCode } = await explain(call, ticket, ...args, "--sign", sign.toLowerCase());
  expect(exitCode).toBe(0);
  expect([...text.matchAll(/^ {2}\d\. (\w+) +\d+ characters/gm)].map(([, name]) => name)).toEqual(order);
  expect(text).toContain(sign);
  expect(text).toContain("the same as the given signature");
  expect(text).toMatch(/ticket {3} 64 characters {2}\(not shown; fingerprint [0-9a-f]{12}\)/);
  expect(text).not.toContain(TICKETS[ticket]);
});

test("the explanation names missing values and a differing signature", async () => {
  const { text } = await explain("query", "c", "--app-id", "appId001", "--nonce", "short", "--sign", "00");
  expect(text).toContain("without a value: orderNo");
  expect(text).toContain("the nonce must be 32 letters and digits");
  expect(text).toContain("NOT the given signature");
});

test("the signature with the stored SIGN ticket is the service's own", async () => {
  const STORE_URL = `file:${directory}/store`;
  await using harness = await startHarness({ env: { STORE_URL } });
  await committed(harness);
  const { appId, secret } = harness.sandbox;
  const env = { FACEID_APP_ID: appId, FACEID_SECRET: secret, FACEID_BASE_URL: harness.wire.url, STORE_URL };
  const { body } = await harness.form("/get_face_params", { name: "张三", id_no: "11010519491231002X" });
  await harness.form("/get_result", { order_no: body.result.order_no });
  const { orderNo = "", nonce = "", sign = "" } = harness.wire.of("query")[0]?.body ?? {};
  const args = ["--order-no", orderNo, "--nonce", nonce, "--sign", sign];
  const { text } = await runDoctor(["explain", "query", ...args], env);
  expect(text).toContain("the same as the given signature");
  expect(harness.sandbox.issuedValues().filter((value) => text.includes(value))).toEqual([]);
});

test.skipIf(missingRedis("redis-server"))(
  "the SIGN ticket is read from Redis once its client has been loaded",
  async () => {
    const redis = await startRedis();
    await using harness = await startHarness({ env: { STORE_URL: redis.url } });
    await committed(harness);
    const { appId, secret } = harness.sandbox;
    const env = { FACEID_APP_ID: appId, FACEID_SECRET: secret, FACEID_BASE_URL: harness.wire.url };
    const args = ["--order-no", "order1", "--nonce", "a".repeat(32)];
    const { text, exitCode } = await runDoctor(["explain", "query", ...args], {
      ...env,
      STORE_URL: redis.url,
    });
    expect(text).toContain("sign");
    expect(exitCode).toBe(0);
  },
);

afterAll(stopRedis);

test.each([
  ["explain"],
  ["explain", "everything"],
  ["cure"],
  ["--force"],
  ["explain", "launch"],
  ["explain", "query", "--ticket-file", "/nowhere"],
])("the arguments %s %s are answered with the usage", async (...args) => {
  const { text, exitCode } = await runDoctor(args, {});
  expect(exitCode).toBe(2);
  expect(text).toMatch(/explain|--ticket-file/);
});
