import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

/** A page of docs/, by its name. */
export const page = (name: string): string => readFileSync(join(ROOT, "docs", name), "utf8");

/** The fenced blocks of a page in one language. */
export function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, given]) => given === language)
    .map(([, , text = ""]) => text);
}

/** The code under the heading that begins so. */
export function snippet(markdown: string, heading: string): string {
  const [, text = ""] = markdown.split(`\n${heading}`);
  const end = text.search(/\n##/);
  const found = [...text.slice(0, end < 0 ? undefined : end).matchAll(/```\w+\n(.*?)```/gs)];
  return found.map(([, block = ""]) => block).join("\n");
}
