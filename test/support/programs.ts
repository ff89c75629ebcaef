import { existsSync } from "node:fs";
import { join } from "node:path";

const onPath = (program: string) =>
  (process.env["PATH"] ?? "").split(":").some((directory) => existsSync(join(directory, program)));

/**
 * Whether any of these is not installed: programs of the PATH, or files by their absolute paths. Says once which Debian
 * packages have them; with REQUIRE_ALL=1 that is a failure.
 */
export function missing(packages: string, ...needed: string[]): boolean {
  const absent = needed.filter((name) => !(name.startsWith("/") ? existsSync(name) : onPath(name)));
  if (absent.length === 0) return false;
  const reason = `no ${absent.join(", ")}: apt-get install -y --no-install-recommends ${packages}`;
  if (process.env["REQUIRE_ALL"] === "1") throw new Error(`REQUIRE_ALL=1, but ${reason}`);
  console.log(`skipped: ${reason}`);
  return true;
}
