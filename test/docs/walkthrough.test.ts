import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMPILE_CACHE } from "../support/compile-cache.ts";
import { blocksOf, ROOT, read, section } from "./markdown.ts";
import { startTrial, type Trial } from "./trial.ts";

const run = promisify(execFile);

/** The shown answer with a matcher wherever it has an ellipsis. */
function pattern(shown: unknown): unknown {
  if (typeof shown === "string" && shown.includes("…")) return expect.any(String);
  if (typeof shown !== "object" || shown === null) return shown;
  return Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, pattern(value)]));
}

describe.each([
  { readme: "README.md", tour: "docs/tour.md", walk: "Two minutes to a passed verification" },
  { readme: "README.zh-CN.md", tour: "docs/tour.zh-CN.md", walk: "两分钟完成一次核身" },
])("the walk-through of $readme and $tour", ({ readme, tour, walk }) => {
  const [start, ...calls] = blocksOf(section(read(readme), walk));
  const blocks = [...calls, ...blocksOf(read(tour))];
  const outputs: string[] = [];
  let trial: Trial;

  beforeAll(async () => {
    trial = await startTrial();
    // One shell for all blocks, as a reader has it; a mark after each tells the outputs apart.
    const mark = "=== end of block ===";
    const script = blocks
      .map(({ language, text }) => {
        if (language === "sh") return text;
        return language === "ts" ? `"$NODE" --input-type=module-typescript --eval "$SNIPPET"\n` : ":\n";
      })
      .join(`echo; echo '${mark}'\n`);
    const here = (text: string) =>
      text.replaceAll(/127\.0\.0\.1:\d+/g, (address) => {
        const real = trial.addresses.get(address);
        if (real === undefined) throw new Error(`${address} is no default address`);
        return real;
      });
    const snippet = blocks.find(({ language }) => language === "ts")?.text ?? "";
    const env = {
      ...process.env,
      no_proxy: "127.0.0.1",
      NODE: process.execPath,
      SNIPPET: here(snippet),
    };
    // The first step twice, as readers do: the vendor allows one launch of a person in two seconds.
    const twice = `{ ${blocks[0]?.text ?? ""} } > /dev/null\n${script}`;
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", here(twice)], { cwd: ROOT, env });
    outputs.push(...stdout.split(mark).map((output) => output.trim()));
  });
  afterAll(() => trial?.stop());

  test("starts with the sandbox", () => {
    expect(start).toEqual({ language: "sh", text: "npm ci && npm run sandbox\n" });
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    // `exec`, so that the signal npm hands on reaches the process and not a shell.
    expect(scripts["sandbox"]).toBe(
      `NODE_COMPILE_CACHE=${COMPILE_CACHE.NODE_COMPILE_CACHE} exec sh scripts/node.sh src/main.ts sandbox`,
    );
  });

  test("ends each command as shown, and in a passed verification", () => {
    expect(outputs).toHaveLength(blocks.length);
    const shown = blocks.flatMap(({ language, text }, i) =>
      language === "json" ? [{ shown: JSON.parse(text) as unknown, answer: outputs[i - 1] ?? "" }] : [],
    );
    expect(shown).toHaveLength(5);
    for (const { shown: answer, answer: actual } of shown) {
      expect(JSON.parse(actual)).toEqual(pattern(answer));
    }
    expect(
      shown.map(({ answer }) => answer).filter((answer) => /"(VERDICT_)?PASSED"/.test(answer)),
    ).toHaveLength(3);
  });

  test("the program prints what its comment says", () => {
    const i = blocks.findIndex(({ language }) => language === "ts");
    expect(outputs[i]).toBe("VERDICT_PASSED");
    expect(blocks[i]?.text).toContain("// VERDICT_PASSED");
  });

  test("breaks none of the vendor's rules", () => {
    const last = outputs.at(-1) ?? "";
    expect(last).toMatch(/^\{"scenarios":\[\{"name":"passed"/);
    expect(last).toMatch(/\{"breaches":\[\]\}$/);
  });
});

test.each(["README.md", "README.zh-CN.md"])("%s fits on a few screens", (file) => {
  expect(read(file).trimEnd().split("\n").length).toBeLessThanOrEqual(150);
});
