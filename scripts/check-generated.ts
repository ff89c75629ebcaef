import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { scriptOptions } from "../src/lib/cli.ts";
import { LANGUAGES, pathOf } from "./pages.ts";
import { printApi } from "./print-api.ts";
import { printErrors } from "./print-errors.ts";
import { printMetrics } from "./print-metrics.ts";
import { printOpenApi } from "./print-openapi.ts";
import { printValidateProto } from "./print-proto.ts";

/** Every file below `root`, by its path there. */
function filesBelow(root: string): Map<string, string> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(root, path), readFileSync(path, "utf8")];
    }),
  );
}

scriptOptions(
  { options: {} },
  "npm run check:generated\n\nFails for what npm run generate would change.",
  [],
);
const fresh = mkdtempSync(join(tmpdir(), "generated-"));
const stale: string[] = [];
try {
  execFileSync("buf", ["generate", "--output", fresh], { stdio: "inherit" });
  const want = filesBelow(join(fresh, "gen")).set("openapi.json", printOpenApi());
  const have = filesBelow("gen");
  for (const path of new Set([...want.keys(), ...have.keys()])) {
    if (want.get(path) !== have.get(path)) stale.push(`gen/${path}`);
  }
} finally {
  rmSync(fresh, { recursive: true });
}
if (readFileSync("proto/buf/validate/validate.proto", "utf8") !== printValidateProto()) {
  stale.push("proto/buf/validate/validate.proto");
}
for (const [name, print] of Object.entries({ api: printApi, errors: printErrors, metrics: printMetrics })) {
  for (const language of LANGUAGES) {
    const path = pathOf(name, language);
    if (!existsSync(path) || readFileSync(path, "utf8") !== print(language)) stale.push(path);
  }
}
if (stale.length > 0) {
  console.error(`Not what "npm run generate" writes:\n${stale.map((path) => `  ${path}`).join("\n")}`);
  process.exitCode = 1;
}
