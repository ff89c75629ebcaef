import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const read = (name: string) => readFileSync(join(ROOT, "docs", name), "utf8");
const [english, chinese] = [read("orders.md"), read("orders.zh-CN.md")];
const blocks = (page: string) =>
  [...page.matchAll(/```(\w+)\n(.*?)```/gs)].map(([, language, text = ""]) => ({ language, text }));

test("the page about orders has the same sections and the same code in both languages", () => {
  const shape = (page: string) => [...page.matchAll(/^(#+) |^\| |^- \*\*/gm)].map(([mark]) => mark);
  expect(blocks(chinese)).toEqual(blocks(english));
  expect(shape(chinese)).toEqual(shape(english));
});
