import { readFileSync, writeFileSync } from "node:fs";
import type { Language } from "../src/domain/messages.ts";

/** Gives an English text of the code in the language of the page. */
export type Say = (english: string) => string;

/** The languages of a page that is printed from code. */
export const LANGUAGES: readonly Language[] = ["en", "zh"];

/** Where the page `name` belongs, such as docs/api.zh-CN.md. */
export const pathOf = (name: string, language: Language) =>
  `docs/${name}${language === "zh" ? ".zh-CN" : ""}.md`;

/** Writes the page `name` in both languages; neither if one cannot be printed. */
export function writePage(name: string, print: (language: Language) => string): void {
  const pages = LANGUAGES.map((language) => [pathOf(name, language), print(language)] as const);
  for (const [path, text] of pages) writeFileSync(path, text);
}

/**
 * A page in English, or in Chinese with the texts of scripts/chinese/`name`.json. Its keys are the English texts, so a
 * changed one needs its translation looked at again. Throws an error that lists, in the form of the file, every text
 * without a translation and every translation without a text.
 */
export function printIn(language: Language, name: string, print: (say: Say) => string): string {
  if (language === "en") return print((english) => english);
  const path = `scripts/chinese/${name}.json`;
  return printTranslated(path, JSON.parse(readFileSync(path, "utf8")), print);
}

/** `print` with the texts of `chinese`, which was read from `path`. */
export function printTranslated(
  path: string,
  chinese: Readonly<Record<string, string>>,
  print: (say: Say) => string,
): string {
  const said = new Set<string>();
  const page = print((english) => {
    said.add(english);
    return chinese[english] ?? "";
  });
  const missing = [...said].filter((english) => !chinese[english]);
  const unused = Object.keys(chinese).filter((english) => !said.has(english));
  if (missing.length + unused.length === 0) return page;
  throw new Error(
    [
      ...(missing.length > 0 ? [`${path} has no translation of these texts; add:`] : []),
      ...missing.map((english) => `  ${JSON.stringify(english)}: "",`),
      ...(unused.length > 0 ? [`${path} translates texts that are no longer printed; remove:`] : []),
      ...unused.map((english) => `  ${JSON.stringify(english)}: ${JSON.stringify(chinese[english])},`),
    ].join("\n"),
  );
}
