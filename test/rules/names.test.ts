import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../../src");
const EXPORT =
  /^export (?:abstract |async )*(?:function\*?|const|let|class|interface|type|enum) (?<name>\w+)/gm;

interface Source {
  path: string;
  text: string;
}

const sources: Source[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path, text: readFileSync(join(SRC, path), "utf8") }));

/** Exported names that are declared in more than one file, with their files. */
function sharedNames(from: readonly Source[]): Record<string, string[]> {
  const owners = new Map<string, Set<string>>();
  for (const { path, text } of from) {
    for (const { groups } of text.matchAll(EXPORT)) {
      const { name = "" } = groups ?? {};
      owners.set(name, (owners.get(name) ?? new Set()).add(path));
    }
  }
  const shared = [...owners].filter(([, paths]) => paths.size > 1);
  return Object.fromEntries(shared.map(([name, paths]) => [name, [...paths]]));
}

test("an exported name has one owner", () => {
  expect(sources.length).toBeGreaterThan(100);
  expect(sharedNames(sources)).toEqual({});
});

test("a planted second owner of a name is reported", () => {
  const planted = [
    { path: "a.ts", text: "export interface Reply {}" },
    { path: "b.ts", text: "export async function Reply() {}" },
  ];
  expect(sharedNames(planted)).toEqual({ Reply: ["a.ts", "b.ts"] });
});

test("no folder has more than 20 files of code", () => {
  const counts = new Map<string, number>();
  for (const { path } of sources) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  expect([...counts].filter(([, count]) => count > 20)).toEqual([]);
});

test("few files are too small to hold a design: one in twenty has less than 20 lines", () => {
  const small = sources.filter(({ text }) => text.split("\n").length <= 20);
  expect(small.length).toBeLessThanOrEqual(sources.length / 20);
});
