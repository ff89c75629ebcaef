import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

/** Why the bench cannot run here, said once on the console; undefined if it can. With REQUIRE_ALL=1 a skip is a failure. */
function missingLoads(): string | undefined {
  for (const [binary, name] of [
    ["wrk", "wrk"],
    ["h2load", "nghttp2-client"],
  ] as const) {
    try {
      execFileSync("sh", ["-c", `command -v ${binary}`], { stdio: "ignore" });
    } catch {
      const reason = `no ${binary}: apt-get install -y ${name}`;
      if (process.env["REQUIRE_ALL"] === "1") throw new Error(`REQUIRE_ALL=1, but ${reason}`);
      console.log(`skipped: ${reason}`);
      return reason;
    }
  }
  return undefined;
}

const bench = async (...args: string[]) => {
  const main = join(import.meta.dirname, "../../bench/main.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args]);
  return stdout;
};

/** A median with the smallest and the largest. */
const ratio = String.raw`\d+\.\d\d \(\d+\.\d\d to \d+\.\d\d\)`;

describe.skipIf(missingLoads())("the bench runs from end to end, in small", () => {
  test("throughput, with every program at every door", { timeout: 240_000 }, async () => {
    const text = await bench("throughput", "--seconds", "1", "--rounds", "1", "--warm-up", "100");
    for (const door of ["form", "json", "grpc"]) {
      expect(text).toMatch(
        new RegExp(`\\*\\*${door} GetFaceParams\\*\\* \\| \\*\\*the service\\*\\* \\| \\d+ `),
      );
    }
    for (const peer of ["floor", "demo", "fastify", "grpc-js"]) expect(text).toContain(`| ${peer} | `);
    expect(text).not.toContain("NaN");
  });

  test("paced, at one door", { timeout: 240_000 }, async () => {
    const few = ["--seconds", "0.3", "--rounds", "1", "--warm-up", "1000"];
    // So few calls that the service refuses none even if all of them are open at once: the machine may be busy.
    const rates = ["--rate", "20", "--rate", "50"];
    const text = await bench("paced", ...few, ...rates, "--door", "grpc GetFaceParams");
    for (const rate of ["20", "50", String.raw`saturated, \d+`]) {
      expect(text).toMatch(
        new RegExp(`\\| ${rate} \\| \\d+ \\| ${ratio} \\| ${ratio} \\| ${ratio} \\| \\d+`),
      );
    }
    expect(text).not.toContain("json");
    expect(text).not.toMatch(/NaN|Infinity/);
  });

  test("memory, with V8 given room of several sizes", { timeout: 240_000 }, async () => {
    // 150 calls at most, for the same reason.
    const text = await bench("memory", "--seconds", "0.3", "--rounds", "1", "--warm-up", "100");
    for (const room of ["V8's choice", "8", "16", "32"]) {
      expect(text).toMatch(
        new RegExp(`\\| of the machine \\| ${room} \\| \\d+ \\(\\d+ to \\d+\\) \\| \\d+ \\| \\d`),
      );
    }
    expect(text).not.toMatch(/NaN|Infinity/);
  });

  test("before, with this version in place of an earlier one", { timeout: 240_000 }, async () => {
    const few = ["--seconds", "1", "--rounds", "2", "--warm-up", "200"];
    const text = await bench("before", "--version", ".", ...few, "--door", "grpc GetResult");
    expect(text).toMatch(
      new RegExp(
        `\\| grpc GetResult \\| \\d+, \\d+ \\| \\d\\.\\d{3} ± \\d\\.\\d{3} \\| ${ratio} \\| ${ratio} \\|`,
      ),
    );
  });

  test("overload", { timeout: 120_000 }, async () => {
    const text = await bench("overload", "--seconds", "1");
    expect(text).toMatch(/\| grpc \| 10 \| \d+ \| \d+ \| \d+ % /);
  });
});
