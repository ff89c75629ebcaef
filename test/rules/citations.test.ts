import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { RULES } from "../../src/sandbox/vendor/rules.ts";

const ROOT = join(import.meta.dirname, "../..");
const FOLDERS = ["src", "proto/faceverification", "test", "scripts", "bench", "docs", "deploy"];

interface Source {
  path: string;
  text: string;
}

/** A document: its sections by number with their texts, its headings, and its headings' anchors as GitHub makes them. */
interface Document {
  sections: ReadonlyMap<string, string>;
  titles: readonly string[];
  anchors: ReadonlySet<string>;
}

const NUMBER = /\d{1,2}(?:\.\d{1,2})?(?![\d.]*\d)/.source;
const JOINT = /(?:, | and | to )/.source;
const ITEM = `(?:case|point|steps?|class) \\w+(?: and \\w+)*`;
const PLACE = new RegExp(`^[)\`]? (${NUMBER}(?:${JOINT}${NUMBER})*)(?:,? (${ITEM}))?`);
const FILE = new RegExp(
  `(?:(${ITEM}) of )?(?<![\\w./*-])((?:\\.{0,2}/)?[\\w./-]*[\\w-]\\.md)\\b(#[^\\s)\`"'|,.;:]+)?`,
  "g",
);

/** Comments and paragraphs on one line, so that a citation may be broken; without URLs, which lead elsewhere. */
const flat = (text: string) =>
  text.replaceAll(/\n[ \t]*(?:\*|\/\/)?[ \t]*/g, " ").replaceAll(/https?:\/\/[^\s)>]+/g, "");

function parse(markdown: string): Document {
  const sections = new Map<string, string>();
  const titles: string[] = [];
  const anchors = new Set<string>();
  const open: { depth: number; number: string }[] = [];
  for (const line of markdown.replaceAll(/^ *```.*?^ *```$/gms, "").split("\n")) {
    const [, marks = "", title = ""] = /^(#+) (.*)$/.exec(line) ?? [];
    if (marks) {
      while ((open.at(-1)?.depth ?? 0) >= marks.length) open.pop();
      const number = /^(\d+(?:\.\d+)?)\.? /.exec(title)?.[1];
      if (number) open.push({ depth: marks.length, number });
      titles.push(title);
      anchors.add(
        `#${title
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "")
          .replaceAll(" ", "-")}`,
      );
    }
    for (const [, id = ""] of line.matchAll(/<a id="([^"]+)">/g)) anchors.add(`#${id}`);
    for (const { number } of open) sections.set(number, `${sections.get(number) ?? ""}${line}\n`);
  }
  return { sections, titles, anchors };
}

const documents = new Map<string, Document>();

/** The document at a path below the root; undefined where there is none. */
function documentAt(path: string): Document | undefined {
  if (!existsSync(join(ROOT, path))) return undefined;
  const document = documents.get(path) ?? parse(readFileSync(join(ROOT, path), "utf8"));
  documents.set(path, document);
  return document;
}

/** "1, 2" and "3 to 5" one by one. */
function numbersOf(list: string): string[] {
  return list.split(/, | and /).flatMap((part) => {
    const [from = "", to] = part.split(" to ");
    if (to === undefined) return [from];
    const [chapter, first] = from.split(".").map(Number) as [number, number?];
    const [, last] = to.split(".").map(Number);
    if (first === undefined)
      return Array.from({ length: Number(to) - chapter + 1 }, (_, i) => `${chapter + i}`);
    return Array.from({ length: (last ?? 0) - first + 1 }, (_, i) => `${chapter}.${first + i}`);
  });
}

/** Whether a section has the row or item `name`: a table's first cell, a list's number, or a class in bold. */
const hasItem = (section: string, name: string) =>
  section.split("\n").some((line) => line.startsWith(`| ${name} |`) || line.startsWith(`${name}. `)) ||
  section.includes(`**${name}**`);

/** What is wrong with one citation: `rest` is the text behind the file's name. */
function faultOf(document: Document, item: string, anchor: string, rest: string): string | undefined {
  if (anchor && !document.anchors.has(anchor)) return `no heading for ${anchor}`;
  const [, list = "", after = ""] = PLACE.exec(rest) ?? [];
  const numbers = list === "" ? [] : numbersOf(list);
  const missing = numbers.find((number) => !document.sections.has(number));
  if (missing !== undefined) return `no section ${missing}`;
  const [, ...names] = (item || after).split(/ (?:and )?/);
  const section = document.sections.get(numbers.at(-1) ?? "") ?? "";
  const absent = names.find((name) => !hasItem(section, name));
  if (absent !== undefined) return `no ${item || after} in section ${numbers.at(-1)}`;
  return undefined;
}

/** The doctor's cures name an entry of the runbook by its title. */
function cureFault(document: Document, rest: string): string | undefined {
  const [, title] = /^, ([a-z][a-z ]+)/i.exec(rest) ?? [];
  const known = document.titles.some((one) => title?.toLowerCase().startsWith(one.toLowerCase()));
  return title === undefined || known ? undefined : `no heading "${title}"`;
}

/** Citations of Markdown files: how many there are, and those that lead nowhere. */
function citations(sources: readonly Source[]): { count: number; dead: string[] } {
  const dead: string[] = [];
  let count = 0;
  for (const { path, text } of sources) {
    const line = flat(text);
    for (const found of line.matchAll(FILE)) {
      const [whole, item = "", file = "", anchor = ""] = found;
      count += 1;
      const rest = line.slice(found.index + whole.length, found.index + whole.length + 120);
      // Beside the text that cites, from the root as in comments, or by its name alone.
      const places = [join(dirname(path), file), file, join("docs", basename(file))];
      const document = places.map(documentAt).find((one) => one !== undefined);
      const cure = document && path.startsWith("src/doctor/") ? cureFault(document, rest) : undefined;
      const fault = document ? (faultOf(document, item, anchor, rest) ?? cure) : "no such file";
      if (fault) dead.push(`${path}: ${whole}${PLACE.exec(rest)?.[0] ?? ""}: ${fault}`);
    }
    const own = path.endsWith(".md") ? documentAt(path) : undefined;
    for (const [, anchor = ""] of own ? line.matchAll(/\]\((#[^)]+)\)/g) : []) {
      count += 1;
      if (!own?.anchors.has(anchor)) dead.push(`${path}: ${anchor}: no heading`);
    }
  }
  return { count, dead };
}

const sources: Source[] = [
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((path) => join(folder, path)),
  ),
  ...readdirSync(ROOT),
]
  .filter(
    (path) => /\.(?:ts|proto|md|ya?ml|go|mjs|js|html|css)$/.test(path) && !path.includes("node_modules"),
  )
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

test("every section, case and anchor of a document that is cited exists", () => {
  const { count, dead } = citations(sources);
  expect(dead).toEqual([]);
  expect(count).toBeGreaterThan(250);
});

test("every rule of the sandbox names a section of docs/protocol.md that exists, or is its own", () => {
  const named = Object.entries(RULES).map(([rule, { source }]) => ({
    path: `src/sandbox/vendor/rules.ts ${rule}`,
    text: source === "own" ? "" : `${"protocol"}.md ${source}`,
  }));
  const { count, dead } = citations(named);
  expect(dead).toEqual([]);
  expect(count).toBeGreaterThan(30);
});

// The name stands apart from its ending here, or the test above would find these.
test.each([
  ["a file", "design", ""],
  ["a file in another folder", "docs/absent", ""],
  ["a section", "protocol", " 99"],
  ["a section within one", "protocol", " 8.9 says"],
  ["the second of two sections", "protocol", " 6.1 and 11.4"],
  ["the last of several", "protocol", " 1 to 14"],
  ["a section on the next line", "ticket-cache", "\n * 2.99)"],
  ["a section behind a link", "[rules](docs/protocol", ") 99"],
  ["a case", "ticket-cache", " 1, case 99"],
  ["a case on the next line", "ticket-cache", " 1,\n   * case 99)"],
  ["a point", "protocol", " 6.1 and 11, point 5"],
  ["one of two steps", "protocol", " 0.2, steps 7 and 10"],
  ["a class", "protocol", " 8.2, class NOTHING"],
  ["an anchor", "docs/runbook", "#no-such-entry"],
  ["a title", "docs/runbook", ", no such entry"],
])("%s that does not exist is found", (_what, name, rest) => {
  const text = `/** As the vendor wants it (${name}.md${rest}). */`;
  expect(citations([{ path: "src/doctor/x.ts", text }]).dead).toHaveLength(1);
});

test.each([
  ["protocol", " 1"],
  ["protocol", " 3 and 8.2, 400504, and a little"],
  ["protocol", " 1 to 4, 6"],
  ["ticket-cache", " 1,\n   * case 23). False"],
  ["ticket-cache", " 2.4 to 2.6"],
  ["docs/runbook", ", Redis password"],
  ["docs/ticket-cache", "#5-for-operators"],
])("%s%s exists", (name, rest) => {
  expect(citations([{ path: "src/doctor/x.ts", text: `${name}.md${rest}` }])).toEqual({ count: 1, dead: [] });
});
