import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { endChildren, startChild, startUpstream } from "../support/child.ts";

/** Says at the end which files were loaded, those of packages by the name of the package. */
const TELL = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  const urls = new Set();
  registerHooks({ resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (resolved.url.startsWith("file:")) urls.add(resolved.url);
    return resolved;
  } });
  process.on("exit", () => console.log("loaded " + JSON.stringify([...urls])));
`)}`;

let sandbox: Sandbox;
let env: Record<string, string>;
beforeAll(async () => {
  ({ sandbox, env } = await startUpstream());
});
afterEach(endChildren);
afterAll(() => sandbox.stop());

/** How many files of each package a start until ready loads; those of the project are under "". */
async function loadedBy(more: Record<string, string>): Promise<Record<string, number>> {
  const child = await startChild({ env: { ...env, ...more, NODE_OPTIONS: `--import=${TELL}` } });
  child.signal("SIGTERM");
  await child.exited;
  const said = child.out.find((line) => line.startsWith("loaded ")) ?? "loaded []";
  const counts: Record<string, number> = {};
  for (const url of JSON.parse(said.slice("loaded ".length)) as string[]) {
    const room = /\/src\/(?:ledger|orders\/(?:open-orders|recorder|collector))\b/.exec(url)?.[0];
    const name = room ?? /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? "";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

// Loading is what a start consists of, and one import at the top of a file is all it takes to slow it down.
test("a start loads what its configuration asks for, and nothing for others", async () => {
  const plain = await loadedBy({});
  const names = Object.keys(plain);
  expect(names).toContain("fastify");
  const others =
    /^(@redis\/|pg($|-)|jose$|ajv|@fastify\/(ajv|fast-json)|@opentelemetry\/(?!api$)|amaro|typescript|pg|\/src\/)/;
  expect(names.filter((name) => others.test(name))).toEqual([]);
  expect(Object.values(plain).reduce((sum, count) => sum + count)).toBeLessThan(900);
});

test("a ledger is loaded with what takes orders to their end, and no other engine than its own", async () => {
  const names = Object.keys(await loadedBy({ LEDGER_URL: "memory:" }));
  expect(names).toEqual(expect.arrayContaining(["/src/orders/collector", "/src/orders/recorder"]));
  expect(names).not.toContain("pg");
});

test("what is asked for is loaded by the time it is ready", async () => {
  const loaded = await loadedBy({
    JWT_JWKS_URL: "http://127.0.0.1:9/keys",
    JWT_ISSUER: "https://issuer.example",
    JWT_AUDIENCE: "app",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
    // With no span there is nothing to send at the end.
    OTEL_TRACES_SAMPLER: "always_off",
  });
  expect(Object.keys(loaded)).toEqual(expect.arrayContaining(["jose", "@opentelemetry/sdk-trace"]));
});
