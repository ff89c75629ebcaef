import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const run = (script: string, ...args: string[]) =>
  spawnSync(process.execPath, [script, ...args], { cwd: ROOT, encoding: "utf8", timeout: 60_000 });

const SCRIPTS: readonly [command: string, script: string, number: string][] = [
  ["bench", "bench/main.ts", "--seconds"],
  ["simulate", "test/simulation/main.ts", "--seeds"],
  ["fuzz", "test/fuzz/main.ts", "--inputs"],
];

test.each(SCRIPTS)(
  "npm run %s lists its options, and answers a wrong one with a sentence",
  (command, script, number) => {
    const help = run(script, "--help");
    expect([help.status, help.stderr]).toEqual([0, expect.stringContaining(`npm run ${command} --`)]);
    expect(help.stderr).toContain(number);
    const unknown = run(script, "--colour");
    expect([unknown.status, unknown.stderr.split("\n")[0]]).toEqual([
      2,
      expect.stringContaining("'--colour'"),
    ]);
    const wrong = run(script, number, "many");
    expect([wrong.status, wrong.stderr.split("\n")[0]]).toEqual([2, `${number} must be a number above 0`]);
  },
);

test.each([
  ["start", "src/main.ts", "start"],
  ["start", "src/main.ts"],
  ["screenshots", "scripts/screenshots.ts"],
  ["check:generated", "scripts/check-generated.ts"],
])("npm run %s takes no options and says so: %s %s", (command, script, ...first) => {
  const help = run(script, ...first, "--help");
  expect([help.status, help.stderr.split("\n")[0]]).toEqual([
    0,
    expect.stringMatching(`^npm (run )?${command}$`),
  ]);
  for (const wrong of ["--colour", "extra"]) {
    const { status, stderr } = run(script, ...first, wrong);
    expect([status, stderr.split("\n")[0]]).toEqual([2, expect.stringContaining(`'${wrong}'`)]);
  }
});

test("npm start does not start the sandbox, whatever comes after it", () => {
  const { status, stderr } = run("src/main.ts", "start", "sandbox");
  expect([status, stderr.split("\n")[0]]).toEqual([2, expect.stringContaining("'sandbox'")]);
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    scripts: { start: string };
  };
  expect(scripts.start).toMatch(/ src\/main\.ts start$/);
});
