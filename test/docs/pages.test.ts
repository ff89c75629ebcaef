import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { LANGUAGES, pathOf } from "../../scripts/pages.ts";
import { printApi } from "../../scripts/print-api.ts";
import { printErrors } from "../../scripts/print-errors.ts";
import { printMetrics } from "../../scripts/print-metrics.ts";
import { SERVICE_VERSION } from "../../src/domain/version.ts";
import { blocksOf, PAGES, ROOT, read } from "./markdown.ts";

const GENERATED = { api: printApi, errors: printErrors, metrics: printMetrics };
const PRINTED = Object.entries(GENERATED).flatMap(([name, print]) =>
  LANGUAGES.map((language) => ({ path: pathOf(name, language), print: () => print(language) })),
);

test.each(PRINTED)("$path is what npm run generate prints", ({ path, print }) => {
  expect(read(path)).toBe(print());
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

test("a page in Chinese leads to pages in Chinese, where there are any", () => {
  const translated = new Set(PAIRS.map(({ english }) => english));
  const english = PAIRS.flatMap(({ chinese }) =>
    [...read(chinese).matchAll(/\[(?!English\])[^\]]*\]\((?!https?:)([^)#]+)/g)]
      .map(([, target = ""]) => join(dirname(chinese), target))
      .filter((target) => translated.has(target))
      .map((target) => `${chinese} -> ${target}`),
  );
  expect(english).toEqual([]);
});

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
