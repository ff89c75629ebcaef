import { execFile } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** As a stranger has it: this Node first, nothing of the repository's, and the machine's own way to the registry. */
export const STRANGER = {
  ...process.env,
  PATH: `${join(process.execPath, "..")}:/usr/local/bin:/usr/bin:/bin`,
  npm_config_loglevel: "error",
};

/** Packs the package of a folder, and installs the tarball with other packages in a directory that was empty. */
export async function install(folder: string, ...others: string[]): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "package-"));
  const pack = ["pack", "--json", "--pack-destination", directory];
  const { stdout } = await run("npm", pack, { cwd: join(ROOT, folder) });
  const [{ filename } = { filename: "" }] = JSON.parse(stdout.slice(stdout.indexOf("["))) as {
    filename: string;
  }[];
  writeFileSync(join(directory, "package.json"), '{"private":true}');
  const packages = [join(directory, filename), ...others];
  await run("npm", ["install", "--no-audit", "--no-fund", ...packages], { cwd: directory, env: STRANGER });
  return directory;
}

/** What npm has against publishing the package of a folder, which has been packed. */
export async function publishingTroubles(folder: string): Promise<string[]> {
  const { stderr } = await run("npm", ["publish", "--dry-run", "--ignore-scripts", "--loglevel", "notice"], {
    cwd: join(ROOT, folder),
  });
  const troubles = stderr.split("\n").filter((line) => /^npm (warn|error)/.test(line));
  // True of anyone who has not logged in.
  return troubles.filter((line) => !line.includes("requires you to be logged in"));
}
