import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../../src");
const LEAVES = ["lib", "domain", "gen", "errors", "redis", "database"];
/** Rooms that are told apart inside of a folder. */
const NESTED = ["doors/browser", "doors/form", "doors/rpc", "tickets/protocol", "tickets/stores"];
/** Rooms that may import less than the leaves, or more. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  redis: ["lib", "errors"],
  database: ["lib", "errors"],
  errors: ["gen", "lib"],
  domain: ["lib", "gen", "errors"],
  config: ["lib", "domain"],
  orders: [...LEAVES, "ledger"],
  deliveries: [...LEAVES, "ledger"],
  server: ["lib", "errors"],
  doors: ["lib", "errors"],
  "doors/browser": [...LEAVES, "doors"],
  "doors/form": [...LEAVES, "doors"],
  "doors/rpc": [...LEAVES, "doors"],
  "tickets/protocol": ["lib", "domain", "errors"],
  tickets: [...LEAVES, "tickets/protocol", "tickets/stores"],
  handlers: [...LEAVES, "calls"],
  links: [...LEAVES, "launches"],
  doctor: [...LEAVES, "config"],
  sandbox: ["lib"],
  listen: [...LEAVES, "deliveries"],
  // It plays the vendor for backends that it does not know, ours among them.
  conformance: ["lib", "sandbox"],
};
/** Rooms that may know another room's shape. */
const AS_TYPES: Readonly<Record<string, readonly string[]>> = {
  errors: ["domain"],
  events: ["calls", "tickets", "orders", "links"],
  redis: ["config"],
  database: ["config"],
  ledger: ["config", "orders"],
  orders: ["calls", "upstream", "tickets", "deliveries"],
  deliveries: ["config", "orders"],
  config: ["calls", "upstream"],
  upstream: ["config"],
  "tickets/protocol": ["config", "tickets"],
  "tickets/stores": ["config", "tickets", "tickets/protocol"],
  tickets: ["config", "tickets/stores"],
  launches: ["calls", "handlers", "tickets", "orders"],
  calls: ["config", "telemetry"],
  handlers: ["launches", "upstream", "tickets", "telemetry", "orders", "ledger", "deliveries", "links"],
  links: ["calls", "handlers", "upstream", "tickets"],
  "doors/browser": ["calls", "links"],
  "doors/form": ["calls", "handlers"],
  "doors/rpc": ["calls", "handlers"],
  telemetry: ["calls", "tickets", "tickets/stores", "upstream", "orders", "links"],
  doctor: ["config", "upstream", "tickets", "tickets/protocol", "tickets/stores", "ledger"],
};
/** The doctor's own composition root: it examines the rooms that the service is made of, and no room knows it. */
const DOCTOR = [join("doctor", "main.ts"), join("doctor", "composition.ts")];
/** The service's composition root. */
const ROOT = ["service", "bookkeeping", "subscribers", "rpcs", "listeners"];
/** Files of the source root are rooms of their own, without a page. */
const ROOT_FILES = [...ROOT, "main", "client", "errors", "events", "globals"];
const LIBRARY_TIME = /\b(Date\.now|setTimeout|setInterval|setImmediate)\b/;

interface Source {
  path: string;
  text: string;
}

function room(path: string): string {
  if (path.startsWith("..")) return "gen";
  const [folder = "", inner = ""] = path.split(sep);
  const nested = `${folder}/${inner}`;
  return NESTED.includes(nested) ? nested : folder.replace(/\.(d\.)?ts$/, "");
}

/** Imports that cross rooms where they may not. */
function crossings(sources: readonly Source[]): string[] {
  const bad: string[] = [];
  for (const { path, text } of sources) {
    const from = room(path);
    const statements = text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+"(\.[^"]+)"/gms);
    const dynamic = text.matchAll(/\bimport\(\s*()"(\.[^"]+)"/g);
    for (const [, type, specifier = ""] of [...statements, ...dynamic]) {
      const to = room(join(dirname(path), specifier));
      const allowed =
        to === from ||
        (ROOT.includes(from) && !["sandbox", "doctor", "main"].includes(to)) ||
        from === "main" ||
        (DOCTOR.includes(path) && to !== "sandbox" && to !== "main") ||
        (ONLY[from] ?? LEAVES).includes(to) ||
        (Boolean(type) && to === "events") ||
        (Boolean(type) && (AS_TYPES[from] ?? []).includes(to));
      if (!allowed) bad.push(`${path} -> ${specifier}`);
    }
  }
  return bad;
}

const sources: Source[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path, text: readFileSync(join(SRC, path), "utf8") }));

test("rooms meet only in the composition root", () => {
  expect(sources.length).toBeGreaterThan(30);
  expect(crossings(sources)).toEqual([]);
});

test.each([
  [
    "a sibling",
    join("doors", "form", "routes.ts"),
    'import { createSigner } from "../../upstream/signer.ts";',
  ],
  [
    "a value where a type is allowed",
    join("handlers", "x.ts"),
    'import { sign } from "../upstream/signer.ts";',
  ],
  ["the sandbox", "service.ts", 'import { createSandbox } from "./sandbox/sandbox.ts";'],
  ["a late import", join("tickets", "x.ts"), 'const x = await import("../upstream/client.ts");'],
  ["a re-export", join("domain", "x.ts"), 'export { sign } from "../upstream/signer.ts";'],
  ["the doctor", join("handlers", "x.ts"), 'import { examine } from "../doctor/examine.ts";'],
  ["a room beside the doctor", join("doctor", "x.ts"), 'import { sign } from "../upstream/signer.ts";'],
  ["generated code in the sandbox", join("sandbox", "x.ts"), 'import { A } from "../../gen/a_pb.ts";'],
])("a planted import of %s is named", (_what, path, text) => {
  expect(crossings([{ path, text }])).toHaveLength(1);
});

const TIMERS = [join("lib", "clock.ts"), join("lib", "event-loop.ts")];
test("time is read and timers are set in lib/clock.ts and lib/event-loop.ts only", () => {
  const offenders = sources
    .filter(({ path }) => !TIMERS.includes(path))
    .filter(({ text }) => LIBRARY_TIME.test(text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, "")))
    .map(({ path }) => path);
  expect(offenders).toEqual([]);
});

test("files stay small: 200 lines, and the middle one under 100", () => {
  const lengths = sources.map(({ path, text }) => ({ path, lines: text.split("\n").length }));
  expect(lengths.filter(({ lines }) => lines > 200)).toEqual([]);
  const sorted = lengths.map(({ lines }) => lines).sort((a, b) => a - b);
  expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(100);
});

test("the page at the head of a room says what the room may import, as the rule has it", () => {
  const rooms = [...new Set(sources.map(({ path }) => room(path)))].filter(
    (name) => !ROOT_FILES.includes(name),
  );
  expect(rooms.length).toBeGreaterThan(15);
  for (const name of rooms) {
    const page = readFileSync(join(SRC, name, "README.md"), "utf8");
    const [, list = ""] = /\*\*Imports\*\* at run time: ([^.]+)\./.exec(page) ?? [];
    const named = [...list.matchAll(/`([^`]+)`/g)].map(([, folder]) => folder);
    expect(new Set(named), name).toEqual(new Set(ONLY[name] ?? LEAVES));
    expect(page, name).toMatch(/\*\*The flow enters\*\*/);
  }
});
