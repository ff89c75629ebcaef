import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { NextStep, Verdict, VerdictReason } from "../gen/faceverification/v1/verdict_pb.ts";
import { printErrors } from "../scripts/print-errors.ts";
import { printMetrics } from "../scripts/print-metrics.ts";
import { readConfig } from "../src/config/config.ts";
import { CODES as VENDOR_CODES } from "../src/domain/codes.ts";
import { judge } from "../src/domain/verdict.ts";
import { SERVICE_VERSION } from "../src/domain/version.ts";
import { HTTP_STATUS } from "../src/doors/form/errors.ts";
import { GRPC_CODES } from "../src/doors/rpc/errors.ts";
import { ErrorReason } from "../src/errors.ts";
import { CHILD_ENV, startUpstream } from "./support/child.ts";
import { COMPILE_CACHE } from "./support/compile-cache.ts";
import { variablesOfTheCode } from "./support/variables.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const run = promisify(execFile);

const BASE = { FACEID_APP_ID: "IDAXXXXX", FACEID_SECRET: "secret" };
const configOf = (env: Record<string, string>) => readConfig({ ...BASE, ...env }, () => "");

interface Block {
  language: string;
  text: string;
}

/** The fenced blocks of a Markdown text. */
const blocksOf = (markdown: string): Block[] =>
  [...markdown.matchAll(/^ *```(\w*)\n(.*?)^ *```$/gms)].map(([, language = "", text = ""]) => ({
    language,
    text,
  }));

/** A heading's text up to the next heading of its level or above. */
function section(markdown: string, title: string): string {
  const lines = markdown.split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === title);
  expect(start, `a heading "${title}"`).toBeGreaterThan(-1);
  const level = lines[start]?.indexOf(" ") ?? 0;
  let fenced = false;
  const length = lines.slice(start + 1).findIndex((line) => {
    if (line.trimStart().startsWith("```")) fenced = !fenced;
    const depth = /^(#+) /.exec(line)?.[1]?.length ?? Number.POSITIVE_INFINITY;
    return !fenced && depth <= level;
  });
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join("\n");
}

/** The rows of all tables in a text, without their heads. */
const rowsOf = (markdown: string): string[][] =>
  [...markdown.matchAll(/^\|[^\n]*\|\n\|[-|]+\|\n((?:\|[^\n]*\|(?:\n|$))+)/gm)].flatMap(([, rows = ""]) =>
    rows
      .trim()
      .split("\n")
      .map((row) =>
        row
          .slice(1, -1)
          .split("|")
          .map((cell) => cell.trim()),
      ),
  );

/** What stands between backticks. */
const quoted = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);

function nameIn(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? "";
}

/** A running `npm run sandbox` on ports of its own. */
interface Trial {
  /** The addresses by their defaults, as the READMEs write them. */
  addresses: ReadonlyMap<string, string>;
  stop(): Promise<void>;
}

async function startTrial(): Promise<Trial> {
  const child = spawn(process.execPath, ["src/main.ts", "sandbox"], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...CHILD_ENV, SANDBOX_PORT: "0" },
  });
  const exited = new Promise<never>((_resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the sandbox ended with ${code}`)));
  });
  exited.catch(() => undefined);

  const line = async (stream: NodeJS.ReadableStream, wanted: RegExp): Promise<string> => {
    for await (const text of createInterface({ input: stream })) {
      const match = wanted.exec(text);
      if (match) return match[1] ?? match[0];
    }
    throw new Error(`the sandbox never wrote ${wanted.source}`);
  };
  const [started, sandbox] = await Promise.race([
    exited,
    Promise.all([
      line(child.stdout, /.*"service_started".*/),
      line(child.stderr, /http:\/\/([\d.:]+)\/sdk\/verify/),
    ]),
  ]);
  child.stdout.resume();
  child.stderr.resume();
  const opened = JSON.parse(started) as { http: string; grpc: string; admin: string };
  const { http, grpc, admin } = configOf({});
  const usual = ({ host, port }: { host: string; port: number }) => `${host}:${port}`;
  return {
    addresses: new Map([
      [usual(http), opened.http],
      [usual(grpc), opened.grpc],
      [usual(admin), opened.admin],
      ["127.0.0.1:8090", sandbox],
    ]),
    async stop() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    },
  };
}

/** The shown answer with a matcher wherever it has an ellipsis. */
function pattern(shown: unknown): unknown {
  if (typeof shown === "string" && shown.includes("…")) return expect.any(String);
  if (typeof shown !== "object" || shown === null) return shown;
  return Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, pattern(value)]));
}

describe.each([
  {
    file: "README.md",
    walk: "Two minutes to a passed verification",
    production: "Two minutes to production",
    configuration: "Configuration",
    reference: "Reference",
    verdicts: "Verdicts",
    errors: "Errors",
    yes: "yes",
  },
  {
    file: "README.zh-CN.md",
    walk: "两分钟完成一次核身",
    production: "两分钟上生产",
    configuration: "配置",
    reference: "接口参考",
    verdicts: "结论",
    errors: "错误",
    yes: "是",
  },
])("$file", ({ file, walk, production, configuration, reference, verdicts, errors, yes }) => {
  const markdown = read(file);

  describe("the walk-through", () => {
    const [start, ...blocks] = blocksOf(section(markdown, walk));
    const outputs: string[] = [];
    let trial: Trial;

    beforeAll(async () => {
      trial = await startTrial();
      // One shell for all blocks, as a reader has it; a mark after each tells the outputs apart.
      const mark = "=== end of block ===";
      const script = blocks
        .map(({ language, text }) => {
          if (language === "sh") return text;
          return language === "ts" ? `"$NODE" --input-type=module-typescript --eval "$SNIPPET"\n` : ":\n";
        })
        .join(`echo; echo '${mark}'\n`);
      const here = (text: string) =>
        text.replaceAll(/127\.0\.0\.1:\d+/g, (address) => {
          const real = trial.addresses.get(address);
          if (real === undefined) throw new Error(`${address} is no default address`);
          return real;
        });
      const snippet = blocks.find(({ language }) => language === "ts")?.text ?? "";
      const env = {
        ...process.env,
        no_proxy: "127.0.0.1",
        NODE: process.execPath,
        SNIPPET: here(snippet),
      };
      // The first step twice, as readers do: the vendor allows one launch of a person in two seconds.
      const twice = `{ ${blocks[0]?.text ?? ""} } > /dev/null\n${script}`;
      const { stdout } = await run("bash", ["-euo", "pipefail", "-c", here(twice)], { cwd: ROOT, env });
      outputs.push(...stdout.split(mark).map((output) => output.trim()));
    });
    afterAll(() => trial?.stop());

    test("starts with the sandbox", () => {
      expect(start).toEqual({ language: "sh", text: "npm ci && npm run sandbox\n" });
      const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
      // `exec`, so that the signal npm hands on reaches the process and not a shell.
      expect(scripts["sandbox"]).toBe(
        `NODE_COMPILE_CACHE=${COMPILE_CACHE.NODE_COMPILE_CACHE} exec sh scripts/node.sh src/main.ts sandbox`,
      );
    });

    test("ends each command as shown, and in a passed verification", () => {
      expect(outputs).toHaveLength(blocks.length);
      const shown = blocks.flatMap(({ language, text }, i) =>
        language === "json" ? [{ shown: JSON.parse(text) as unknown, answer: outputs[i - 1] ?? "" }] : [],
      );
      expect(shown).toHaveLength(5);
      for (const { shown: answer, answer: actual } of shown) {
        expect(JSON.parse(actual)).toEqual(pattern(answer));
      }
      expect(
        shown.map(({ answer }) => answer).filter((answer) => /"(VERDICT_)?PASSED"/.test(answer)),
      ).toHaveLength(3);
    });

    test("the program prints what its comment says", () => {
      const i = blocks.findIndex(({ language }) => language === "ts");
      expect(outputs[i]).toBe("VERDICT_PASSED");
      expect(blocks[i]?.text).toContain("// VERDICT_PASSED");
    });

    test("breaks none of the vendor's rules", () => {
      const last = outputs.at(-1) ?? "";
      expect(last).toMatch(/^\{"scenarios":\[\{"name":"passed"/);
      expect(last).toMatch(/\{"breaches":\[\]\}$/);
    });
  });

  test("the way to production starts a service that becomes ready, and stops when told to", async () => {
    const [block] = blocksOf(section(markdown, production));
    const { sandbox, env } = await startUpstream();
    const directory = mkdtempSync(join(tmpdir(), "readme-"));
    writeFileSync(join(directory, "faceid"), sandbox.secret);
    // As it stands, but for where the secret is, whose it is, and where the vendor and the listeners are.
    const script = (block?.text ?? "")
      .replace("/run/secrets/faceid", join(directory, "faceid"))
      .replace("=IDAXXXXX", `=${sandbox.appId}`);
    expect(script).toMatch(/FACEID_SECRET_FILE=[^]*npm start/);
    const child = spawn("bash", ["-euc", script], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        FACEID_BASE_URL: env["FACEID_BASE_URL"],
        STORE_URL: "memory:",
        HTTP_ADDR: "127.0.0.1:0",
        GRPC_ADDR: "127.0.0.1:0",
        ADMIN_ADDR: "127.0.0.1:0",
      },
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    let started: { admin: string; livemode: boolean } | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes('"service_started"')) started = JSON.parse(line) as typeof started;
      if (started) break;
    }
    child.stdout.resume();
    // The vendor here is played, which no way to start a service makes live.
    expect(started?.livemode).toBe(false);
    await expect
      .poll(async () => (await fetch(`http://${started?.admin}/readyz`)).status, { timeout: 30_000 })
      .toBe(200);
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    await sandbox.stop();
    rmSync(directory, { recursive: true });
  });

  test("every other command is one that is run: by CI, or as a script that exists", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const known = blocksOf(section(markdown, walk)).concat(blocksOf(section(markdown, production)));
    const others = blocksOf(markdown)
      .filter(({ language, text }) => language === "sh" && !known.some((block) => block.text === text))
      .map(({ text }) => text.trim());
    expect(others).toEqual(["npm ci && npm test"]);
    // `npm run check` ends with `npm test`.
    expect(read(".ci/run")).toMatch(/^npm ci\b[^]*^REQUIRE_ALL=1 npm run check$/m);
    expect(scripts["check"]).toMatch(/&& npm test$/);
    const named = [...markdown.matchAll(/npm run ([a-z:]+)/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  describe("the configuration table", () => {
    const rows = rowsOf(section(markdown, configuration));

    test("names every variable that the code reads, and no other", () => {
      // Node's own; the code never sees it.
      const expected = [...variablesOfTheCode(), "NODE_EXTRA_CA_CERTS"].sort();
      expect(rows.flatMap(([names]) => quoted(names)).sort()).toEqual(expected);
    });

    test("gives the defaults of the code", () => {
      const defaults = rows.flatMap(([names, value]) => {
        const [name] = quoted(names);
        const [text] = quoted(value);
        return name === undefined || text === undefined ? [] : [{ name, text }];
      });
      expect(defaults.length).toBeGreaterThan(10);
      for (const { name, text } of defaults) {
        if (name === "SANDBOX_PORT")
          expect(read("src/sandbox/arguments.ts")).toContain(`"SANDBOX_PORT"] ?? ${text}`);
        else expect(configOf({ [name]: text }), name).toEqual(configOf({}));
      }
    });

    test("has a row for every variable that the text sets", () => {
      const set = [...markdown.matchAll(/\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)=/g)].map(([, name = ""]) => name);
      const known = [...variablesOfTheCode(), "REQUIRE_ALL"];
      expect(set.filter((name) => !known.includes(name))).toEqual([]);
    });
  });

  test("the error table has every reason with the statuses of both doors", () => {
    const table = rowsOf(section(markdown, errors)).map(([reason, status, code]) => ({
      reason: quoted(reason)[0],
      status: Number(status),
      code: quoted(code)[0],
    }));
    // gRPC and Connect spell one code differently.
    const grpcName = (code: Code) =>
      code === Code.Canceled
        ? "CANCELLED"
        : (Code[code] ?? "").replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
    const expected = Object.entries(ErrorReason)
      .filter(([, reason]) => reason !== ErrorReason.UNSPECIFIED)
      .map(([name, reason]) => ({
        reason: name,
        status: HTTP_STATUS[reason],
        code: grpcName(GRPC_CODES[reason]),
      }));
    const byReason = (a: { reason: string | undefined }, b: { reason: string | undefined }) =>
      String(a.reason) < String(b.reason) ? -1 : 1;
    expect(table.sort(byReason)).toEqual(expected.sort(byReason));
    expect(rowsOf(section(markdown, errors)).filter(([, , , advice = ""]) => advice === "")).toEqual([]);
  });

  test("the verdict table is that of the catalogue", () => {
    const table = rowsOf(section(markdown, verdicts)).map(([verdict, reason, , nextStep, billed]) => ({
      verdict: quoted(verdict)[0] ?? "",
      reason: quoted(reason)[0] ?? "",
      nextSteps: quoted(nextStep).sort(),
      billed: billed === yes,
    }));
    const expected = new Map<string, (typeof table)[number]>();
    const days = 24 * 60 * 60 * 1000;
    for (const entry of VENDOR_CODES.values()) {
      for (const judgement of [judge(entry, 0), judge(entry, 4 * days)]) {
        if ("error" in judgement) continue;
        const reason = nameIn(VerdictReason, judgement.reason);
        const nextStep = nameIn(NextStep, judgement.nextStep);
        const entry = expected.get(reason);
        const nextSteps = [...new Set([...(entry?.nextSteps ?? []), nextStep])].sort();
        const { billed } = judgement;
        expect(entry?.billed ?? billed, reason).toBe(billed);
        expected.set(reason, { verdict: nameIn(Verdict, judgement.verdict), reason, nextSteps, billed });
      }
    }
    const byReason = (a: { reason: string }, b: { reason: string }) => (a.reason < b.reason ? -1 : 1);
    expect(table.sort(byReason)).toEqual([...expected.values()].sort(byReason));
  });

  test("the reference names every RPC and every field of it", () => {
    const text = section(markdown, reference);
    const missing = FaceVerificationService.methods.flatMap(({ name, input, output }) =>
      [name, ...[...input.fields, ...output.fields].map((field) => field.name)].filter(
        (word) => !text.includes(`\`${word}\``),
      ),
    );
    expect(missing).toEqual([]);
  });
});

test("docs/errors.md is what scripts/print-errors.ts prints", () => {
  expect(read("docs/errors.md")).toBe(printErrors());
});

test("docs/metrics.md is what scripts/print-metrics.ts prints", () => {
  expect(read("docs/metrics.md")).toBe(printMetrics());
});

test("the version that /metrics tells is that of package.json", () => {
  expect(SERVICE_VERSION).toBe((JSON.parse(read("package.json")) as { version: string }).version);
});

test("every relative link leads somewhere", () => {
  const documents = [
    ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
    ...readdirSync(join(ROOT, "docs"))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join("docs", name)),
  ];
  expect(documents.length).toBeGreaterThan(8);
  const dead = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\((?!https?:)([^)#]+)/g)]
      .map(([, target = ""]) => join(dirname(document), target))
      .filter((target) => !existsSync(join(ROOT, target)))
      .map((target) => `${document} -> ${target}`),
  );
  expect(dead).toEqual([]);
});
