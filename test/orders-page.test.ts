import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterEach, expect, test } from "vitest";
import { eventually, unusedPort } from "./support/harness.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (name: string) => readFileSync(join(ROOT, "docs", name), "utf8");
const [english, chinese] = [read("orders.md"), read("orders.zh-CN.md")];
const blocks = (page: string) =>
  [...page.matchAll(/```(\w+)\n(.*?)```/gs)].map(([, language, text = ""]) => ({ language, text }));

let child: ChildProcess | undefined;
let directory: string | undefined;
afterEach(() => {
  child?.kill("SIGKILL");
  if (directory) rmSync(directory, { recursive: true, force: true });
});

test("the page about orders has the same sections and the same code in both languages", () => {
  const shape = (page: string) => [...page.matchAll(/^(#+) |^\| |^- \*\*/gm)].map(([mark]) => mark);
  expect(blocks(chinese)).toEqual(blocks(english));
  expect(shape(chinese)).toEqual(shape(english));
});

test("receivers in five languages, each by its published library", () => {
  const languages = blocks(english).map(({ language }) => language);
  expect(languages).toEqual(expect.arrayContaining(["js", "python", "go", "java", "php"]));
  for (const { language, text } of blocks(english)) {
    if (["js", "python", "go", "java", "php"].includes(language ?? "")) {
      expect(text, language).toMatch(/standard[-_]?webhooks|new Webhook/i);
      expect(text, language).toContain("WEBHOOK_SECRET");
      expect(text, language).toMatch(/401|Unauthorized/);
    }
  }
});

test("the receiver in JavaScript takes what is signed, once, and refuses what is not", async () => {
  directory = mkdtempSync(join(tmpdir(), "receiver-"));
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  const { text = "" } = blocks(english).find(({ language }) => language === "js") ?? {};
  writeFileSync(join(directory, "receiver.mjs"), text);
  const secret = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
  const port = await unusedPort();
  const env = { ...process.env, WEBHOOK_SECRET: secret, PORT: String(port) };
  child = spawn(process.execPath, ["receiver.mjs"], {
    cwd: directory,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [, json = ""] =
    /\n\n(\{.*\})\n/.exec(blocks(english).find(({ language }) => language === "http")?.text ?? "") ?? [];
  const now = new Date();
  const headers = {
    "webhook-id": "evt_1",
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign("evt_1", now, json),
  };
  const post = async (body: string) =>
    (await fetch(`http://127.0.0.1:${port}/hook`, { method: "POST", body, headers })).status;
  await eventually(() =>
    post(json).then(
      (status) => status === 204,
      () => false,
    ),
  );
  expect(await post(json)).toBe(204);
  expect(await post(json.replace("VERDICT_PASSED", "VERDICT_FAILED"))).toBe(401);
  await eventually(() => said !== "");
  expect(said).toBe("loan-4711 VERDICT_PASSED\n");
});
