import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Harness, startHarness } from "../support/harness.ts";
import { install, publishingTroubles, ROOT } from "./stranger.ts";

const run = promisify(execFile);
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
  harness = await startHarness();
  const connectNode = `@connectrpc/connect-node@${dependencies["@connectrpc/connect-node"]}`;
  const others = ["typescript", "@types/node"].map((name) => `${name}@${devDependencies[name]}`);
  directory = await install("client", connectNode, ...others);
}, 300_000);

afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await harness[Symbol.asyncDispose]();
});

/** What every program does, after it has imported what it needs. */
const BODY = `
const transport = createGrpcTransport({ baseUrl: process.argv[2] ?? "" });
const client = createFaceVerificationClient(transport);
const links = createVerificationLinkClient(transport);
async function main() {
  const launch = await client.getFaceParams({ name: "张三", idNo: "11010519491231002X" });
  const error = await client.getResult({ orderNo: "?" }).catch((thrown) => ConnectError.from(thrown));
  const [info] = error instanceof ConnectError ? error.findDetails(ErrorInfoSchema) : [];
  const unset = await links.createVerificationLink({ name: "张三", idNo: "11010519491231002X" }).catch(ConnectError.from);
  console.log([launch.orderNo.length, launch.livemode, info?.reason, Verdict.PASSED, "code" in unset].join());
}
void main();
`;
const EXPECTED = "32,false,INVALID_REQUEST,1,true\n";
const OURS = "createFaceVerificationClient, createVerificationLinkClient, ErrorInfoSchema, Verdict";

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

test("npm has nothing against publishing it, and it holds its licence", async () => {
  expect(await publishingTroubles("client")).toEqual([]);
  const licence = readFileSync(join(directory, "node_modules/faceverification-client/LICENSE"), "utf8");
  expect(licence).toBe(readFileSync(join(ROOT, "LICENSE"), "utf8"));
});

test("the example of its README runs", async () => {
  const readme = readFileSync(join(directory, "node_modules/faceverification-client", "README.md"), "utf8");
  const [, text = ""] = /```ts\n(.*?)```/s.exec(readme) ?? [];
  expect(text).toContain("result.livemode");
  const here = `${text.replace("http://127.0.0.1:50051", harness.grpc)}\nconsole.log(Verdict[result.verdict]);`;
  writeFileSync(join(directory, "readme.mjs"), here);
  // Nobody has started the SDK in between.
  expect((await run(process.execPath, ["readme.mjs"], { cwd: directory })).stdout).toBe("NOT_COMPLETED\n");
});
