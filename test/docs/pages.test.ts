import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { printErrors } from "../../scripts/print-errors.ts";
import { printMetrics } from "../../scripts/print-metrics.ts";
import { SERVICE_VERSION } from "../../src/domain/version.ts";
import { blocksOf, PAGES, ROOT, read } from "./markdown.ts";

test("docs/errors.md is what scripts/print-errors.ts prints", () => {
  expect(read("docs/errors.md")).toBe(printErrors());
});

test("docs/metrics.md is what scripts/print-metrics.ts prints", () => {
  expect(read("docs/metrics.md")).toBe(printMetrics());
});

test("the version that /metrics tells is that of package.json", () => {
  expect(SERVICE_VERSION).toBe((JSON.parse(read("package.json")) as { version: string }).version);
});

test("every relative link leads somewhere", () => {
  expect(PAGES.length).toBeGreaterThan(8);
  const dead = PAGES.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)]
      .map(([, target = ""]) => join(dirname(page), target))
      .filter((target) => !existsSync(join(ROOT, target)))
      .map((target) => `${page} -> ${target}`),
  );
  expect(dead).toEqual([]);
});

const PAIRS = PAGES.filter((page) => page.includes(".zh-CN")).map((chinese) => ({
  chinese,
  english: chinese.replace(".zh-CN", ""),
}));

test.each(PAIRS)("$chinese has the sections, tables, lists and code of $english", ({ english, chinese }) => {
  const shape = (page: string) =>
    [...page.matchAll(/^#+ |^\|[^\n]*\||^ *(?:-|\d+\.) (?=\S)/gm)].map(([mark]) =>
      mark.startsWith("|") ? `|${mark.split("|").length}` : mark.trim(),
    );
  const code = (page: string) =>
    blocksOf(page).filter(({ language }) => language !== "" && language !== "mermaid");
  const withoutComments = (page: string) =>
    code(page).map(({ language, text }) => ({ language, text: text.replaceAll(/ *(?:#|\/\/) .*$/gm, "") }));
  expect(shape(read(chinese))).toEqual(shape(read(english)));
  expect(withoutComments(read(chinese))).toEqual(withoutComments(read(english)));
});
