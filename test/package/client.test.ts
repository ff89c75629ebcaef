import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Harness, startHarness } from "../support/harness.ts";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);
const env = { ...process.env, npm_config_loglevel: "error" };
const { devDependencies, dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  devDependencies: Record<string, string>;
  dependencies: Record<string, string>;
};
/** The machine's own Node, which may be older than the service's. */
const NODES = [process.execPath, "/usr/bin/node"].filter((path, i) => i === 0 || isNode(path));

function isNode(path: string): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}

let directory: string;
let harness: Harness;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "client-"));
  harness = await startHarness();
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", directory], {
    cwd: join(ROOT, "client"),
    env,
  });
  const [{ filename } = { filename: "" }] = JSON.parse(stdout.slice(stdout.indexOf("["))) as {
    filename: string;
  }[];
  writeFileSync(join(directory, "package.json"), '{"private":true}');
  const others = [
    `@connectrpc/connect-node@${dependencies["@connectrpc/connect-node"]}`,
    `typescript@${devDependencies["typescript"]}`,
    `@types/node@${devDependencies["@types/node"]}`,
  ];
  await run("npm", ["install", "--no-audit", "--no-fund", join(directory, filename), ...others], {
    cwd: directory,
    env,
  });
}, 300_000);

afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await harness[Symbol.asyncDispose]();
});

/** What every program does, after it has imported what it needs. */
const BODY = `
const client = createFaceVerificationClient(createGrpcTransport({ baseUrl: process.argv[2] ?? "" }));
async function main() {
  const launch = await client.getFaceParams({ name: "张三", idNo: "11010519491231002X" });
  const error = await client.getResult({ orderNo: "?" }).catch((thrown) => ConnectError.from(thrown));
  const [info] = error instanceof ConnectError ? error.findDetails(ErrorInfoSchema) : [];
  console.log([launch.orderNo.length, launch.livemode, info?.reason, Verdict.PASSED].join());
}
void main();
`;
const EXPECTED = "32,false,INVALID_REQUEST,1\n";
const OURS = "createFaceVerificationClient, ErrorInfoSchema, Verdict";

async function program(name: string, text: string): Promise<string> {
  writeFileSync(join(directory, name), text);
  const outputs = await Promise.all(NODES.map((node) => run(node, [name, harness.grpc], { cwd: directory })));
  return [...new Set(outputs.map(({ stdout }) => stdout))].join();
}

test("a stranger's ES module calls the service, on this Node and on the machine's own", async () => {
  const text = `import { ConnectError } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ${OURS} } from "faceverification-client";
${BODY}`;
  expect(await program("esm.mjs", text)).toBe(EXPECTED);
});

test("a stranger's CommonJS calls the service", async () => {
  const text = `const { ConnectError } = require("@connectrpc/connect");
const { createGrpcTransport } = require("@connectrpc/connect-node");
const { ${OURS} } = require("faceverification-client");
${BODY}`;
  expect(await program("cjs.cjs", text)).toBe(EXPECTED);
});

test.each([
  ["nodenext", "nodenext", ".mts"],
  ["nodenext", "nodenext", ".cts"],
  ["esnext", "bundler", ".ts"],
])(
  "a stranger's strict TypeScript compiles with module %s and resolution %s as %s",
  async (module, resolution, extension) => {
    const folder = join(directory, `ts${extension}`);
    mkdirSync(folder, { recursive: true });
    const text = `import { ConnectError } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ${OURS}, type GetFaceParamsResponse } from "faceverification-client";
export type Launch = GetFaceParamsResponse;
${BODY}`;
    writeFileSync(join(folder, `index${extension}`), text);
    const compilerOptions = {
      strict: true,
      noEmit: true,
      exactOptionalPropertyTypes: true,
      target: "es2023",
      types: ["node"],
      module,
      moduleResolution: resolution,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*"] }));
    const tsc = join(directory, "node_modules/.bin/tsc");
    const { stdout } = await run(tsc, ["-p", folder], { cwd: directory }).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe("");
  },
);

test("the client's package brings no part of a server", () => {
  const lock = JSON.parse(readFileSync(join(directory, "node_modules/.package-lock.json"), "utf8")) as {
    packages: Record<string, { dependencies?: Record<string, string> }>;
  };
  const own = lock.packages["node_modules/faceverification-client"]?.dependencies ?? {};
  expect(Object.keys(own).sort()).toEqual(["@bufbuild/protobuf", "@connectrpc/connect"]);
});
