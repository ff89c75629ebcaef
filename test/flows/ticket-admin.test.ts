import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startChild, startUpstream } from "../support/child.ts";
import { startHarness } from "../support/harness.ts";

const BUF = join(import.meta.dirname, "../../node_modules/.bin/buf");
const SERVICE = "faceverification.v1.TicketAdminService";

/** `buf curl` as an operator types it, with nothing but the listener's address. */
async function bufCurl(admin: string, method: string, ...args: string[]): Promise<Record<string, unknown>> {
  const schema = ["--schema", `${admin}/descriptors.binpb`];
  const { stdout } = await promisify(execFile)(BUF, [
    "curl",
    ...schema,
    ...args,
    `${admin}/${SERVICE}/${method}`,
  ]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("buf curl shows the status and forces a refresh without schema files", async () => {
  await using harness = await startHarness({ env: { TOKEN_OVERLAP: "6s" } });
  const before = await bufCurl(harness.admin, "TicketStatus", "--emit-defaults");
  expect(before).toMatchObject({
    role: "all",
    ready: true,
    reason: "a usable ticket pair is held",
    usable: true,
    storeUp: true,
    storeGeneration: before["generation"],
    lease: "none",
    intent: "none",
    stage: "none",
    doubt: "none",
    backoff: "none",
    failures: 0,
    forcedRotations: 0,
    lastRefresh: expect.stringMatching(/^ok for cold, generation \d+, /),
  });
  for (const name of [
    "age",
    "tokenAge",
    "signAge",
    "hardLimitIn",
    "refreshIn",
    "storeSilent",
    "loopSilent",
  ]) {
    expect(before[name]).toMatch(/^[\d.]+s$/);
  }
  const forced = await bufCurl(harness.admin, "ForceRefresh", "--protocol", "grpcweb");
  expect(forced["previousGeneration"]).toBe(before["generation"]);
  const after = await bufCurl(harness.admin, "TicketStatus");
  expect(after["generation"]).toBe(forced["generation"]);
  expect(harness.sandbox.stats.calls.access_token).toBe(2);

  const secrets = [harness.sandbox.secret, ...harness.sandbox.issuedValues()];
  const said = JSON.stringify([before, forced, after, harness.logs]);
  expect(secrets.filter((secret) => said.includes(secret))).toEqual([]);
  // Operators' calls are in the access log like all others.
  expect(harness.logs).toContainEqual(
    expect.objectContaining({ event: "call_finished", method: "ForceRefresh", outcome: "OK" }),
  );
});

test("the admin RPCs return errors in our wording and require tokens if configured", async () => {
  await using harness = await startHarness({
    env: { TOKEN_OVERLAP: "6s", GRPC_AUTH_TOKENS: "ops:open-sesame-open-sesame" },
  });
  const post = async (method: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${harness.admin}/${SERVICE}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: "{}",
    });
    return { status: response.status, body: (await response.json()) as Record<string, never> };
  };
  const refused = await post("ForceRefresh");
  expect([refused.status, refused.body["code"]]).toEqual([401, "unauthenticated"]);
  const authorization = "Bearer open-sesame-open-sesame";
  expect((await post("TicketStatus", { authorization })).status).toBe(200);
  harness.sandbox.faults.add({ endpoint: "access_token", kind: "status", times: null });
  const late = await post("ForceRefresh", { authorization, "connect-timeout-ms": "500" });
  expect([late.status, late.body["code"]]).toEqual([504, "deadline_exceeded"]);
  harness.sandbox.faults.clear();
});

test("the admin RPCs are served only by the admin listener", async () => {
  await using harness = await startHarness();
  const response = await fetch(`${harness.http}/${SERVICE}/TicketStatus`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  expect(response.status).toBe(404);
  const { stderr } = await promisify(execFile)(BUF, [
    "curl",
    "--http2-prior-knowledge",
    "--protocol",
    "grpc",
    "--schema",
    `${harness.admin}/descriptors.binpb`,
    `${harness.grpc}/${SERVICE}/TicketStatus`,
  ]).catch((error: { stderr: string }) => error);
  expect(stderr).toContain("unimplemented");
});

test("Diagnose reports what the doctor reports, without a token call", async () => {
  const { sandbox, env } = await startUpstream();
  const directory = mkdtempSync(join(tmpdir(), "diagnose-"));
  const child = await startChild({ env: { ...env, STORE_URL: `file:${directory}` } });
  const { checks } = (await bufCurl(child.admin, "Diagnose")) as {
    checks: { check: string; status: string; detail: string; cure?: string }[];
  };
  expect(checks.length).toBeGreaterThan(5);
  expect(checks.filter(({ status }) => status === "CHECK_STATUS_FAIL")).toEqual([]);
  expect(checks.filter(({ status }) => status === "CHECK_STATUS_OK").length).toBeGreaterThan(3);
  expect(sandbox.stats.tokenGeneration).toBe(1);
  expect(JSON.stringify(checks)).not.toContain(sandbox.secret);
  child.signal("SIGTERM");
  expect(await child.exited).toBe(0);
  await sandbox.stop();
  rmSync(directory, { recursive: true });
});
