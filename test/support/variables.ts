import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

/** Every variable that the code reads. */
export function variablesOfTheCode(): Set<string> {
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".ts"),
  );
  const direct = sources.flatMap((path) => [...read(join("src", path)).matchAll(/\benv\["(\w+)"\]/g)]);
  const config = [
    "src/config/config.ts",
    "src/config/access.ts",
    "src/config/ledger.ts",
    "src/config/links.ts",
    "src/config/proxy.ts",
    "src/config/secrets.ts",
    "src/config/store-url.ts",
    "src/config/tracing.ts",
    "src/config/webhooks.ts",
  ]
    .map(read)
    .join("");
  const literals = [...config.matchAll(/"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|ROLE|[a-z]+_proxy)"/g)];
  const files = [...config.matchAll(/\.(?:secretText|bearerTokens)\("(\w+)"\)/g)];
  return new Set([
    ...[...direct, ...literals].map(([, name = ""]) => name),
    ...files.map(([, name = ""]) => `${name}_FILE`),
  ]);
}
