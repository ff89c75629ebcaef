import { spawnSync } from "node:child_process";
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
