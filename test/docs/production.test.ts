import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { startUpstream } from "../support/child.ts";
import { blocksOf, ROOT, read } from "./markdown.ts";

test.each(["docs/production.md", "docs/production.zh-CN.md"])(
  "the first step of %s starts a service that becomes ready, and stops on SIGTERM",
  async (page) => {
    const [block] = blocksOf(read(page));
    const { sandbox, env } = await startUpstream();
    const directory = mkdtempSync(join(tmpdir(), "readme-"));
    writeFileSync(join(directory, "faceid"), sandbox.secret);
    // As it stands, but for where the secret is, whose it is, and where the vendor and the listeners are.
    const script = (block?.text ?? "")
      .replace("/run/secrets/faceid", join(directory, "faceid"))
      .replace("=IDAXXXXX", `=${sandbox.appId}`);
    expect(script).toMatch(/FACEID_SECRET_FILE=[^]*npm start/);
    const child = spawn("bash", ["-euc", script], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        FACEID_BASE_URL: env["FACEID_BASE_URL"],
        STORE_URL: "memory:",
        HTTP_ADDR: "127.0.0.1:0",
        GRPC_ADDR: "127.0.0.1:0",
        ADMIN_ADDR: "127.0.0.1:0",
      },
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    let started: { admin: string; livemode: boolean } | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes('"service_started"')) started = JSON.parse(line) as typeof started;
      if (started) break;
    }
    child.stdout.resume();
    // The vendor here is played, which no way to start a service makes live.
    expect(started?.livemode).toBe(false);
    await expect
      .poll(async () => (await fetch(`http://${started?.admin}/readyz`)).status, { timeout: 30_000 })
      .toBe(200);
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    await sandbox.stop();
    rmSync(directory, { recursive: true });
  },
);
