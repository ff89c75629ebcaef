import { execFile } from "node:child_process";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readConformanceArguments } from "../../src/conformance/arguments.ts";
import { createBackend } from "../../src/conformance/backend.ts";
import { checkRules, type Result } from "../../src/conformance/examine.ts";
import { createLab } from "../../src/conformance/lab.ts";
import { CONFORMANCE_RULE_NAMES, type ConformanceRuleName } from "../../src/conformance/rules.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { startHarness, unusedPort } from "../support/harness.ts";
import { MANNERS, type Manner, startPlanted } from "./planted.ts";

const notKept = (results: readonly Result[]) => results.filter(({ outcome }) => outcome !== "kept");
const named = (results: readonly Result[], wanted: Result["outcome"]) =>
  results.filter(({ outcome }) => outcome === wanted).map(({ rule }) => rule);

async function judge(sandbox: Sandbox, url: string, patienceMs: number): Promise<Result[]> {
  const lab = createLab({ sandbox, backend: createBackend(url), clock: systemClock, patienceMs });
  return checkRules(lab);
}

async function judgePlanted(broken?: ConformanceRuleName, manner?: Manner): Promise<Result[]> {
  const sandbox = createSandbox();
  await sandbox.start();
  const { url, appId, secret } = sandbox;
  const planted = await startPlanted({ url, appId, secret }, broken, 0, manner);
  try {
    // Short if a rule is broken: some rules fail only on timeout.
    return await judge(sandbox, planted.url, broken === undefined ? 30_000 : 2_000);
  } finally {
    await planted.stop();
    await sandbox.stop();
  }
}

test("our own service keeps every conformance rule", async () => {
  await using harness = await startHarness({
    sandbox: { overlapMs: 6_000 },
    env: { TOKEN_OVERLAP: "6s", REFRESH_INTERVAL: "20m" },
  });
  const results = await judge(harness.sandbox, harness.http, 60_000);
  expect(notKept(results)).toEqual([]);
  expect(results.map(({ rule }) => rule)).toEqual(CONFORMANCE_RULE_NAMES);
});

test("the minimal backend from which the broken ones are derived keeps every conformance rule", async () => {
  expect(notKept(await judgePlanted())).toEqual([]);
});

test.concurrent.each(MANNERS)(
  "a backend that is right in another manner, %s, keeps every rule",
  async (manner) => {
    expect(notKept(await judgePlanted(undefined, manner))).toEqual([]);
  },
);

/** Other rules that a breach inevitably breaks. */
const ALSO: Partial<Record<ConformanceRuleName, readonly ConformanceRuleName[]>> = {
  only_passed_is_code_0: ["unfinished_is_not_failed"],
  unfinished_is_not_failed: ["only_passed_is_code_0"],
  bad_input_refused: ["vendor_rules_kept"],
  launch_starts_the_sdk: ["signatures_valid"],
  token_not_per_request: ["no_overlapping_refresh"],
};
/** Breaches that make launches or refreshes fail: what cannot be examined then is not broken as well. */
const RUINOUS: readonly ConformanceRuleName[] = [
  "launch_starts_the_sdk",
  "one_nonce_ticket_per_launch",
  "nonce_never_reused",
  "order_no_per_attempt",
  "user_id_per_person",
  "survives_a_revoked_token",
];

describe("the conformance kit", () => {
  // Concurrent, because most of the time is spent waiting for timeouts.
  test.concurrent.each(CONFORMANCE_RULE_NAMES)("a backend that breaks %s breaks that", async (rule) => {
    const results = await judgePlanted(rule);
    const broken = named(results, "broken");
    expect(broken).toContain(rule);
    expect(broken.filter((name) => name !== rule && !ALSO[rule]?.includes(name))).toEqual([]);
    if (!RUINOUS.includes(rule)) expect(named(results, "not_examined")).toEqual([]);
  });

  const ALWAYS: readonly [what: string, status: number, body: string, broken: ConformanceRuleName[]][] = [
    [
      "an empty success",
      200,
      '{"code":"0","result":{}}',
      ["bad_input_refused", "unknown_order_never_passes"],
    ],
    ["HTTP 500", 500, '{"code":"500","msg":"out of order"}', []],
    ["HTTP 400", 400, '{"code":"400","msg":"no"}', []],
    ["a web page", 200, "<html></html>", ["bad_input_refused"]],
    ["nothing", 204, "", ["bad_input_refused"]],
  ];
  test.concurrent.each(ALWAYS)("a backend that answers everything with %s keeps no rule", async (...row) => {
    const [, status, body, broken] = row;
    const sandbox = createSandbox();
    await sandbox.start();
    const server = createServer((_request, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const results = await judge(sandbox, url, 500);
      expect(named(results, "kept")).toEqual([]);
      const upload = broken.includes("unknown_order_never_passes") ? ["refused_upload_is_no_launch"] : [];
      const also = upload.length > 0 ? ["double_tap"] : [];
      const expected = ["launch_starts_the_sdk", ...upload, ...broken];
      expect(named(results, "broken").filter((name) => !also.includes(name))).toEqual(expected);
      expect(results[0]?.evidence).toContain(`HTTP ${status}`);
      for (const rule of CONFORMANCE_RULE_NAMES) {
        const lab = createLab({ sandbox, backend: createBackend(url), clock: systemClock, patienceMs: 1 });
        expect(named(await checkRules(lab, [rule]), "kept"), `${rule} alone`).toEqual([]);
      }
    } finally {
      server.closeAllConnections();
      server.close();
      await sandbox.stop();
    }
  });

  test("the evidence quotes the backend and the vendor, and nothing that was secret", async () => {
    const leaky = createServer((request, response) => {
      void text(request).then((form) =>
        response.writeHead(500).end(JSON.stringify({ code: "500", msg: `failed for ${form.get("id_no")}` })),
      );
    });
    const sandbox = createSandbox();
    await sandbox.start();
    await new Promise<void>((resolve) => leaky.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(leaky.address() as AddressInfo).port}`;
    const [launch] = await judge(sandbox, url, 1);
    leaky.closeAllConnections();
    leaky.close();
    await sandbox.stop();
    expect(launch?.evidence).toBe('no launch parameters: HTTP 500 code 500 "failed for ***"');
    const signed = await judgePlanted("signatures_valid");
    expect(signed.find(({ rule }) => rule === "signatures_valid")?.evidence).toMatch(
      /signature_wrong ×\d+ \(/,
    );
  });
});

async function text(request: IncomingMessage): Promise<URLSearchParams> {
  return new URLSearchParams(Buffer.concat(await request.toArray()).toString());
}

describe("the conformance command", () => {
  test("the command starts a backend, examines it, ends it, prints a table and exits with 0", async () => {
    const port = await unusedPort();
    const { code, stdout, stderr } = await run(port, `exec "$NODE" test/conformance/planted.ts ${port}`);
    expect(stderr).toMatch(/FACEID_BASE_URL=http.*\nFACEID_APP_ID=.{8}\nFACEID_SECRET=.{64}\n/);
    expect(stdout).toMatch(/^pass {2}launch_starts_the_sdk/);
    expect(stdout).toContain(`All ${CONFORMANCE_RULE_NAMES.length} rules are kept.`);
    expect(code).toBe(0);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });

  test("the command reports a broken rule as JSON and exits with 1", async () => {
    const port = await unusedPort();
    const backend = `exec "$NODE" test/conformance/planted.ts ${port} only_passed_is_code_0`;
    const { code, stdout } = await run(port, backend, "--json", "--only", "only_passed_is_code_0");
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      results: [
        {
          rule: "only_passed_is_code_0",
          outcome: "broken",
          evidence: expect.stringContaining("blurred") as unknown,
        },
      ],
    });
    expect(code).toBe(1);
  });

  test("a backend that exits or never responds makes the command exit with 2", async () => {
    const port = await unusedPort();
    const died = await run(port, "echo out of luck; exit 3");
    expect(died.code).toBe(2);
    expect(died.stderr).toMatch(/ended with 3\nout of luck/);
    const silent = await run(port, "exec sleep 60", "--patience", "1s");
    expect([silent.code, silent.stderr.includes("does not answer")]).toEqual([2, true]);
  });

  test.each([
    [[], "URL"],
    [["http://127.0.0.1:1", "stray"], "URL"],
    [["nowhere"], "URL"],
    [["http://127.0.0.1:1", "--only", "all"], "--only"],
    [["http://127.0.0.1:1", "--patience", "1"], "--patience"],
    [["http://127.0.0.1:1", "--secret", "short"], "--secret"],
    [["http://127.0.0.1:1", "--colour"], "--colour"],
  ])("the command rejects %j with the option's name", (args, name) => {
    expect(() => readConformanceArguments(args)).toThrow(name);
  });
});

function run(
  port: number,
  command: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const all = [
    "src/conformance/main.ts",
    `http://127.0.0.1:${port}`,
    "--port",
    "0",
    "--exec",
    command,
    ...args,
  ];
  const options = {
    cwd: join(import.meta.dirname, "../.."),
    env: { ...process.env, NODE: process.execPath },
  };
  return new Promise((resolve) => {
    execFile(process.execPath, all, options, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}
