import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { CHILD_ENV } from "../support/child.ts";
import { eventually } from "../support/harness.ts";

const PERSON = new URLSearchParams({ name: "张三", id_no: "11010519491231002X" });
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** `npm run sandbox` with its two streams, after the instructions. */
async function startSandbox(...args: string[]) {
  const child = spawn(process.execPath, ["src/main.ts", "sandbox", "--port", "0", ...args], {
    cwd: join(import.meta.dirname, "../.."),
    stdio: ["ignore", "pipe", "pipe"],
    env: CHILD_ENV,
  });
  ends.push(() => {
    child.kill("SIGTERM");
    return once(child, "close");
  });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk.toString()));
  const url = () =>
    /(http:\/\/127\.0\.0\.1:\d+)\/ /.exec(err.join(""))?.[1] ?? /Console +(\S+)\//.exec(err.join(""))?.[1];
  await eventually(() => url() !== undefined);
  return { url: url() ?? "", out: () => out.join(""), err: () => err.join("") };
}

const getParameters = (url: string, body = PERSON) =>
  fetch(`${url}/get_face_params`, { method: "POST", body });

test("the terminal shows one line a call, and none for the console's own polls", async () => {
  const { url, out, err } = await startSandbox();
  expect(err()).toContain("Open http");
  for (let i = 0; i < 3; i++) {
    await fetch(`${url}/sandbox/backend`);
    await fetch(`${url}/sandbox/backend/orders`);
  }
  await getParameters(url);
  await getParameters(url, new URLSearchParams({ name: "张三", id_no: "1" }));
  await eventually(() => out().split("GetFaceParams").length === 3);
  const lines = out().split("\n");
  expect(lines.filter((line) => line.includes("GetFaceParams"))).toEqual([
    expect.stringMatching(/^\d\d:\d\d:\d\d form +GetFaceParams +OK +\d+ ms +order [0-9A-Za-z]{32}$/),
    expect.stringMatching(/^\d\d:\d\d:\d\d form +GetFaceParams +INVALID_REQUEST +\d+ ms$/),
  ]);
  expect(out()).not.toMatch(/TicketStatus|ListOrders|ListDeliveries|\{"/);
  // Colours are for terminals.
  expect(out()).not.toContain("\u001b[");
});

test("with --host the terminal shows a QR code and a code, and the next one when a device is paired", async () => {
  const { url, err } = await startSandbox("--host");
  const codes = () =>
    [...err().matchAll(/enter (\d{8})\. Each code lets one device in/g)].map(([, code]) => code);
  await eventually(() => codes().length === 1);
  expect(err()).toMatch(/[▀▄█]{10}/);
  const headers = { "content-type": "application/json" };
  const paired = await fetch(`${url}/pair`, {
    method: "POST",
    headers,
    body: JSON.stringify({ code: codes()[0] }),
  });
  expect(paired.status).toBe(200);
  await eventually(() => codes().length === 2);
  expect(err()).toContain("Paired: 127.0.0.1");
  expect(codes()[1]).not.toBe(codes()[0]);
});

test("--json keeps the log lines as they are, without the polls", async () => {
  const { url, out } = await startSandbox("--json");
  await fetch(`${url}/sandbox/backend`);
  await getParameters(url);
  await eventually(() => out().includes('"call_finished"'));
  const lines = out()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; method?: string });
  expect(lines.filter(({ event }) => event === "call_finished").map(({ method }) => method)).toEqual([
    "GetFaceParams",
  ]);
  expect(lines.some(({ event }) => event === "service_started")).toBe(true);
});

test("the played vendor alone writes its calls beside, and its environment to standard output", async () => {
  const { url, out, err } = await startSandbox("--upstream-only", "--seed", "7");
  await fetch(`${url}/api/oauth2/access_token?app_id=TIDA0001&version=1.0.0`);
  await eventually(() => err().includes("access_token"));
  expect(err()).toMatch(/\d\d:\d\d:\d\d vendor +access_token +code 400104 +\d+ ms/);
  expect(out().trim().split("\n")).toHaveLength(3);
});
