import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startTrial } from "../console/trial.ts";

test.each(["SIGTERM", "SIGINT"] as const)(
  "the sandbox with --upstream-only exits with 0 on %s even while a call hangs",
  async (signal) => {
    const { url, end } = await startTrial("--upstream-only", "--seed", "7");
    expect((await fetch(`${url}/sandbox/stats`)).status).toBe(200);
    const slow = await fetch(`${url}/sandbox/latency`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"latency_ms":600000}',
    });
    expect(slow.status).toBe(200);
    const hanging = fetch(`${url}/api/oauth2/access_token`).catch(() => "cut off");
    expect(await end(signal)).toBe(0);
    expect(await hanging).toBe("cut off");
  },
);

test("an unknown option makes the sandbox exit with 2, name it, and start nothing", async () => {
  const failed = await run("--upstream-onyl");
  expect(failed.code).toBe(2);
  expect(failed.stderr).toContain("--upstream-onyl");
  expect(failed.stdout).toBe("");
});

test("--help makes the sandbox exit with 0 and list the options", async () => {
  const { code, stderr } = await run("--help");
  expect(code).toBe(0);
  expect(stderr).toMatch(/--upstream-only.*--seed.*--latency/s);
});

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const cwd = join(import.meta.dirname, "../..");
    execFile(process.execPath, ["src/main.ts", "sandbox", ...args], { cwd }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}
