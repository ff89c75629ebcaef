import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually, unusedPort } from "../support/harness.ts";
import { missing } from "../support/programs.ts";
import { blocks, page, ROOT } from "./page.ts";

const run = promisify(execFile);
const DOCUMENT = page("orders.md");
const LIBRARIES = join(import.meta.dirname, "libraries");
const SECRET = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
const JARS = ["spring3-web", "spring3-core", "spring3-beans", "commons-logging"].map(
  (name) => `/usr/share/java/${name}.jar`,
);

/** The example event of the page, as it is posted. */
const [, BODY = ""] = /\n\n(\{.*\})\n/.exec(blocks(DOCUMENT, "http")[0] ?? "") ?? [];
const FORGED = BODY.replace("VERDICT_PASSED", "VERDICT_FAILED");

function signed(): Record<string, string> {
  const now = new Date();
  return {
    "webhook-id": "evt_1",
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": new Webhook(SECRET).sign("evt_1", now, BODY),
  };
}

/** How a receiver of the page is started, in a directory of its own. */
interface Receiver {
  language: string;
  absent: boolean;
  start: (directory: string, text: string, port: number) => readonly [program: string, ...args: string[]];
}

const RECEIVERS: readonly Receiver[] = [
  {
    language: "js",
    absent: false,
    start(directory, text) {
      symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
      writeFileSync(join(directory, "receiver.mjs"), text);
      return [process.execPath, "receiver.mjs"];
    },
  },
  {
    language: "python",
    absent: missing("python3-flask", "/usr/lib/python3/dist-packages/flask"),
    start(directory, text, port) {
      cpSync(join(LIBRARIES, "python"), directory, { recursive: true });
      writeFileSync(join(directory, "receiver.py"), text);
      return ["/usr/bin/python3", "-u", "-m", "flask", "--app", "receiver", "run", "--port", String(port)];
    },
  },
  {
    language: "go",
    absent: missing("golang-go", "go"),
    start(directory, text, port) {
      const library = join(directory, "src/github.com/standard-webhooks/standard-webhooks/libraries/go");
      cpSync(join(LIBRARIES, "go"), library, { recursive: true });
      writeFileSync(join(directory, "main.go"), text.replace('":3000"', `"127.0.0.1:${port}"`));
      const places = {
        GOPATH: directory,
        GOCACHE: join(directory, "cache"),
        GO111MODULE: "off",
        GOFLAGS: "",
      };
      const env = { ...process.env, ...places };
      execFileSync("go", ["build", "-o", "receiver", "main.go"], { cwd: directory, env });
      return ["./receiver"];
    },
  },
  {
    language: "php",
    absent: missing("php-cli", "php"),
    start(directory, text, port) {
      cpSync(join(LIBRARIES, "php"), join(directory, "vendor"), { recursive: true });
      writeFileSync(join(directory, "hook.php"), text);
      return ["php", "-S", `127.0.0.1:${port}`, "hook.php"];
    },
  },
];

let child: ChildProcess | undefined;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "receiver-"));
});
afterEach(() => {
  child?.kill("SIGKILL");
  child = undefined;
  rmSync(directory, { recursive: true, force: true });
});

describe.each(RECEIVERS)("the receiver in $language", ({ language, absent, start }) => {
  test.skipIf(absent)("takes what is signed and refuses what is not", { timeout: 120_000 }, async () => {
    const [text = ""] = blocks(DOCUMENT, language);
    const port = await unusedPort();
    const [program, ...args] = start(directory, text, port);
    const env = { ...process.env, WEBHOOK_SECRET: SECRET, PORT: String(port) };
    child = spawn(program, args, { cwd: directory, env, stdio: ["ignore", "pipe", "pipe"] });
    let printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        printed += chunk.toString();
      });
    const headers = signed();
    const post = async (body: string) =>
      (await fetch(`http://127.0.0.1:${port}/hook`, { method: "POST", body, headers })).status;
    await eventually(() =>
      post(FORGED).then(
        (status) => status === 401,
        () => false,
      ),
    );
    expect(await post(BODY)).toBe(204);
    await eventually(() => printed.includes("loan-4711 VERDICT_PASSED"));
    expect(printed).not.toContain("VERDICT_FAILED");
    // Only this one remembers what it has seen; the page says that all should.
    const repeats = language === "js" ? 1 : 2;
    expect(await post(BODY)).toBe(204);
    const times = () => printed.split("loan-4711 VERDICT_PASSED").length - 1;
    await eventually(() => times() === repeats);
  });
});

const java = missing("default-jdk-headless libspring-web-java libcommons-logging-java", "javac", ...JARS);
test.skipIf(java)(
  "the receiver in Java takes what is signed and refuses what is not",
  { timeout: 120_000 },
  async () => {
    const [text = ""] = blocks(DOCUMENT, "java");
    const imports = `org.springframework.http.HttpHeaders org.springframework.http.ResponseEntity
    org.springframework.web.bind.annotation.* com.standardwebhooks.Webhook
    com.standardwebhooks.exceptions.WebhookVerificationException`;
    // In place of Spring's dispatcher, which hands the same two values to the same method.
    const main = `
    public class Main {
      public static void main(String[] args) {
        HttpHeaders headers = new HttpHeaders();
        for (int i = 2; i < args.length; i += 2) headers.add(args[i], args[i + 1]);
        for (int i = 0; i < 2; i++) System.out.println(new Hook().receive(args[i], headers).getStatusCodeValue());
      }
    }`;
    mkdirSync(join(directory, "out"));
    writeFileSync(
      join(directory, "Main.java"),
      `${imports
        .split(/\s+/)
        .map((name) => `import ${name};\n`)
        .join("")}${text}${main}`,
    );
    const classpath = [...JARS, "out"].join(":");
    const options = ["-J-XX:TieredStopAtLevel=1", "-proc:none", "-cp", classpath, "-d", "out"];
    await run("javac", [...options, "-sourcepath", join(LIBRARIES, "java"), "Main.java"], { cwd: directory });
    const args = ["-cp", classpath, "Main", FORGED, BODY, ...Object.entries(signed()).flat()];
    const { stdout } = await run("java", args, {
      cwd: directory,
      env: { ...process.env, WEBHOOK_SECRET: SECRET },
    });
    expect(stdout).toBe(`401\n${BODY}\n204\n`);
  },
);
