import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const page = readFileSync(join(ROOT, "docs/performance.md"), "utf8");
const rows = new Map(
  page
    .split("\n")
    .map((line) => [/<a id="([a-z0-9-]+)">/.exec(line)?.[1], line] as const)
    .filter((row): row is [string, string] => row[0] !== undefined),
);

/** Marks of performance measures in a source, by anchor. */
const marksIn = (text: string) =>
  [...text.matchAll(/perf: docs\/performance\.md#([a-z0-9-]+)/g)].map(([, anchor = ""]) => anchor);

const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path: `src/${path}`, text: readFileSync(join(ROOT, "src", path), "utf8") }));

test("a row names files and folders that exist, and one of them carries its mark", () => {
  expect(rows.size).toBeGreaterThan(10);
  for (const [anchor, row] of rows) {
    const [, where = ""] = row.split(" | ");
    const places = [...where.matchAll(/`([^`]+)`/g)].map(([, path = ""]) => path);
    expect(places, anchor).not.toEqual([]);
    for (const place of places) expect(existsSync(join(ROOT, place)), place).toBe(true);
    const inSource = places.filter((place) => place.startsWith("src/"));
    if (inSource.length === 0) continue;
    const marked = sources.filter(({ path }) => inSource.some((place) => path.startsWith(place)));
    expect(
      marked.some(({ text }) => marksIn(text).includes(anchor)),
      `a mark #${anchor}`,
    ).toBe(true);
  }
});
