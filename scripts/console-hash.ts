import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const CONSOLE = join(import.meta.dirname, "../src/sandbox/console");

/** A hash over the console's sources: written beside the screenshots, it tells whether they are those of this page. */
export function consoleHash(): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(CONSOLE).sort()) hash.update(name).update(readFileSync(join(CONSOLE, name)));
  return hash.digest("hex");
}
