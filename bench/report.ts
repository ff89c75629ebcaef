import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";

const FILE = join(import.meta.dirname, "RESULTS.md");

/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Where and with what the figures were measured. */
export function machine(command: string): string {
  const version = (...args: [string, string]) =>
    execFileSync(args[0], [args[1]], { encoding: "utf8", stdio: "pipe" }).trim();
  const [cpu] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `\`${command}\`, ${date}; Node ${process.versions.node}, ${version("h2load", "--version")}; ${cpus().length} cores of ${cpu?.model.trim()}, shared with other work.`;
}

/** Prints a section, and with `file` writes it over the one of that name between its two marks in RESULTS.md. */
export function report(name: string, text: string, write: boolean): void {
  console.log(`\n${text}\n`);
  if (!write) return;
  const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const old = readFileSync(FILE, "utf8");
  const [start, end] = [old.indexOf(from), old.indexOf(to)];
  if (start < 0 || end < 0) throw new Error(`RESULTS.md has no marks for ${name}`);
  writeFileSync(FILE, `${old.slice(0, start + from.length)}\n${text}\n${old.slice(end)}`);
}
