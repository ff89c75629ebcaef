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

describe.skipIf(missingLoads())("the bench runs from end to end, in small", () => {
  test("throughput, with every program at every door", { timeout: 240_000 }, async () => {
    const text = await bench("throughput", "--seconds", "1", "--rounds", "1");
    for (const door of ["form", "json", "grpc"]) {
      expect(text).toMatch(
        new RegExp(`\\*\\*${door} GetFaceParams\\*\\* \\| \\*\\*the service\\*\\* \\| \\d+ `),
      );
    }
    for (const peer of ["floor", "demo", "fastify", "grpc-js"]) expect(text).toContain(`| ${peer} | `);
    expect(text).not.toContain("NaN");
  });

  test("overload", { timeout: 120_000 }, async () => {
    const text = await bench("overload", "--seconds", "1");
    expect(text).toMatch(/\| grpc \| 10 \| \d+ \| \d+ \| \d+ % /);
  });
});
