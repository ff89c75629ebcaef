import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { consoleHash } from "../../scripts/console-hash.ts";

const ROOT = join(import.meta.dirname, "../..");
const IMAGES = join(ROOT, "docs/images");

test("the screenshots match this console, or npm run screenshots must be run", () => {
  expect(readFileSync(join(IMAGES, "console.sha256"), "utf8").trim()).toBe(consoleHash());
});

test("every screenshot is a PNG below 300 KB and shown in a document", () => {
  const images = readdirSync(IMAGES).filter((name) => name.endsWith(".png"));
  expect(images.length).toBeGreaterThan(2);
  const documents = ["README.md", "README.zh-CN.md", "docs/sandbox.md"];
  const text = documents.map((name) => readFileSync(join(ROOT, name), "utf8")).join("\n");
  for (const name of images) {
    expect(readFileSync(join(IMAGES, name)).subarray(1, 4).toString(), name).toBe("PNG");
    expect(statSync(join(IMAGES, name)).size, name).toBeLessThan(300_000);
    expect(text, name).toContain(`images/${name}`);
  }
});
