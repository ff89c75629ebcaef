import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { startUpstream } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { eventually } from "../support/harness.ts";

const ROOT = join(import.meta.dirname, "../..");
const directory = mkdtempSync(join(tmpdir(), "full-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** A process whose log goes to this file, and which may write files of so many KiB at most: a disk that fills later. */
async function startWith(log: string, limitKiB: string, more: Record<string, string> = {}) {
  const { sandbox, env } = await startUpstream();
  const [http, grpc, admin] = [await freePort(), await freePort(), await freePort()];
  const out = openSync(log, "a");
  const child = spawn("bash", ["-c", `ulimit -f ${limitKiB}; exec "$0" src/main.ts`, process.execPath], {
    cwd: ROOT,
    stdio: ["ignore", out, "inherit"],
    env: {
      PATH: process.env["PATH"],
      ...env,
      HTTP_ADDR: `127.0.0.1:${http}`,
      GRPC_ADDR: `127.0.0.1:${grpc}`,
      ADMIN_ADDR: `127.0.0.1:${admin}`,
      ...more,
    },
  });
  closeSync(out);
  const exited = once(child, "exit");
  const url = `http://127.0.0.1:${admin}`;
  await eventually(async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok === true);
  return {
    http: `http://127.0.0.1:${http}`,
    async metric(name: string): Promise<number> {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(new RegExp(`^${name}\\{[^}]*\\} (\\d+)`, "m").exec(text)?.[1]);
    },
    /** Exit code and signal after SIGTERM. */
    async stop(): Promise<unknown[]> {
      child.kill("SIGTERM");
      const ended = await exited;
      await sandbox.stop();
      return ended;
    },
  };
}

const launch = (http: string, i: number) =>
  fetch(`${http}/get_face_params`, {
    method: "POST",
    body: new URLSearchParams({ name: "张三", id_no: "11010519491231002X", user_id: `u${i}` }),
  });

test.each([
  ["/dev/full", "unlimited"],
  [join(directory, "log"), "8"],
])(
  "a log that cannot be written (%s) loses lines and counts them, but blocks nothing",
  async (log, limit) => {
    const service = await startWith(log, limit);
    for (let i = 0; i < 20; i++) expect((await launch(service.http, i)).status).toBe(200);
    // A line for each, until no more may wait.
    const refused = async () => {
      await Promise.all(Array.from({ length: 200 }, () => fetch(`${service.http}/nothing`)));
      return (await service.metric("faceid_log_lines_lost_total")) > 0;
    };
    await eventually(refused, 60_000);
    expect((await launch(service.http, 99)).status).toBe(200);
    expect(await service.stop()).toEqual([0, null]);
  },
);

test("an audit trail on a full disk fails no call, is counted, and has no torn line", async () => {
  const audit = join(directory, "audit");
  const service = await startWith("/dev/null", "4", { AUDIT_LOG: audit });
  for (let i = 0; i < 40; i++) expect((await launch(service.http, i)).status).toBe(200);
  expect(await service.metric("faceid_audit_failures_total")).toBeGreaterThan(0);
  const lines = readFileSync(audit, "utf8").split("\n").slice(0, -1);
  expect(lines.length).toBeGreaterThan(5);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ event: "attempt" });
  expect(await service.stop()).toEqual([0, null]);
});
