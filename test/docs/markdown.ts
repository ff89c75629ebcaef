import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";

export const ROOT = join(import.meta.dirname, "../..");
export const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

/** Every page that people read, from the root and from docs/. */
export const PAGES: readonly string[] = ["", "docs"].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name)),
);

export interface Block {
  language: string;
  text: string;
}

/** The fenced blocks of a Markdown text. */
export const blocksOf = (markdown: string): Block[] =>
  [...markdown.matchAll(/^ *```(\w*)\n(.*?)^ *```$/gms)].map(([, language = "", text = ""]) => ({
    language,
    text,
  }));

/** A heading's text up to the next heading of its level or above. */
export function section(markdown: string, title: string): string {
  const lines = markdown.split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === title);
  expect(start, `a heading "${title}"`).toBeGreaterThan(-1);
  const level = lines[start]?.indexOf(" ") ?? 0;
  let fenced = false;
  const length = lines.slice(start + 1).findIndex((line) => {
    if (line.trimStart().startsWith("```")) fenced = !fenced;
    const depth = /^(#+) /.exec(line)?.[1]?.length ?? Number.POSITIVE_INFINITY;
    return !fenced && depth <= level;
  });
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join("\n");
}

/** The rows of all tables in a text, without their heads. */
export const rowsOf = (markdown: string): string[][] =>
  [...markdown.matchAll(/^\|[^\n]*\|\n\|[-|]+\|\n((?:\|[^\n]*\|(?:\n|$))+)/gm)].flatMap(([, rows = ""]) =>
    rows
      .trim()
      .split("\n")
      .map((row) =>
        row
          .slice(1, -1)
          .split("|")
          .map((cell) => cell.trim()),
      ),
  );

/** What stands between backticks. */
export const quoted = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);
