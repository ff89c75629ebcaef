import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { CONFORMANCE_USAGE, readConformanceArguments } from "../../src/conformance/arguments.ts";
import { CONFORMANCE_RULES } from "../../src/conformance/rules.ts";
import { SANDBOX_USAGE } from "../../src/sandbox/arguments.ts";
import { FAULT_KINDS } from "../../src/sandbox/controls/faults.ts";
import { ENDPOINTS } from "../../src/sandbox/vendor/request.ts";
import { withSandbox } from "./merchant.ts";

const ROOT = join(import.meta.dirname, "../..");
const DOCUMENT = readFileSync(join(ROOT, "docs/sandbox.md"), "utf8");
const run = promisify(execFile);
const shell = [...DOCUMENT.matchAll(/```sh\n(.*?)```/gs)].map(([, text = ""]) => text);
const options = (text: string) => new Set([...text.matchAll(/--[a-z][a-z-]+/g)].map(String));

test("the documented commands for --upstream-only run unchanged", async () => {
  const directory = mkdtempSync(join(tmpdir(), "alone-"));
  try {
    // The commands write their file to a temporary directory.
    const script = (shell[0] ?? "")
      .replaceAll("./sandbox.env", "sandbox.env")
      .replaceAll("sandbox.env", `${directory}/env`);
    const { stdout } = await run("bash", ["-eu", "-c", script], { cwd: ROOT });
    expect(stdout).toMatch(/"access_token":"[0-9A-Za-z-]{64}".*\{"breaches":\[\]\}/s);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("the documented conformance command is valid", () => {
  const words = /npm run conformance -- (\S+) --exec "([^"]+)"/.exec(shell[1] ?? "");
  expect(readConformanceArguments([words?.[1] ?? "", "--exec", words?.[2] ?? ""])).toMatchObject({
    url: "http://127.0.0.1:8080",
    exec: "npm start",
  });
});

test("docs/sandbox.md describes every option and no other", () => {
  expect(options(DOCUMENT)).toEqual(
    new Set([...options(SANDBOX_USAGE), "--exec", "--json", "--only", "--patience"]),
  );
  for (const option of options(CONFORMANCE_USAGE)) expect(DOCUMENT).toContain(option);
});

test("docs/sandbox.md describes every fault, every call and every conformance rule", () => {
  for (const kind of FAULT_KINDS) expect(DOCUMENT).toContain(`| \`${kind}\` |`);
  for (const endpoint of ENDPOINTS) expect(DOCUMENT).toContain(`\`${endpoint}\``);
  const rows = [...DOCUMENT.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, name = "", text = ""]) => [
    name,
    text,
  ]);
  const rules = Object.entries(CONFORMANCE_RULES).map(([name, { text }]) => [name, text]);
  expect(
    rows
      .filter(([name = ""]) => name in CONFORMANCE_RULES)
      .map(([name, text = ""]) => [name, text.replaceAll("`", "")]),
  ).toEqual(rules);
  expect(DOCUMENT).toContain("eighteen rules");
  expect(rules).toHaveLength(18);
});

test("every call in docs/sandbox.md is answered", () =>
  withSandbox({}, async ({ url }) => {
    const calls = [...DOCUMENT.matchAll(/`(GET|POST|DELETE) (\/sandbox\/[\w/]+|\/sdk\/verify)/g)];
    expect(calls.length).toBeGreaterThan(14);
    for (const [, method = "", path = ""] of calls) {
      const response = await fetch(url + path.replace("ORDER", "order1"), {
        method,
        ...(method === "POST" && { body: "{}" }),
      });
      expect(await response.text(), `${method} ${path}`).not.toContain("no such path");
    }
  }));
