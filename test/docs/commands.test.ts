import { expect, test } from "vitest";
import { blocksOf, PAGES, read } from "./markdown.ts";

const { scripts } = JSON.parse(read("package.json")) as {
  scripts: Record<string, string>;
};

test.each(["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CONTRIBUTING.zh-CN.md"])(
  "%s has newcomers run the tests that CI runs",
  (page) => {
    const commands = blocksOf(read(page)).map(({ text }) => text.trim());
    expect(commands).toContain("npm ci && npm test");
    // `npm run check` ends with `npm test`.
    expect(read(".ci/run")).toMatch(/^npm ci\b[^]*^REQUIRE_ALL=1 npm run check$/m);
    expect(scripts["check"]).toMatch(/&& npm test$/);
  },
);

test("every npm script that a page names exists", () => {
  const named = PAGES.flatMap((page) =>
    [...read(page).matchAll(/npm run ([a-z:]+)/g)].map(([, name = ""]) => `${page}: ${name}`),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !(name.split(": ")[1]! in scripts))).toEqual([]);
});
