import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const CONSOLE = join(import.meta.dirname, "../../src/sandbox/console");
interface RecordedRequest {
  method: string;
  url: string;
  contentType: string;
  body: string;
}
const { SNIPPETS, describeRequest } = (await import(join(CONSOLE, "snippets.js"))) as {
  SNIPPETS: Record<string, (call: object) => string>;
  describeRequest: (request: RecordedRequest, origin: string) => object;
};
const run = promisify(execFile);

/** Everything that a language's quotes and escapes could get wrong. */
const NASTY = `张三 O'Neil "q" \\ $HOME \${x} \`id\` +&=%41 \\n \\(y) \u2028`;
const REQUESTS: Record<string, RecordedRequest> = {
  form: {
    method: "POST",
    url: "/get_face_params",
    contentType: "application/x-www-form-urlencoded",
    body: new URLSearchParams({ name: NASTY, id_no: "11010519491231002X" }).toString(),
  },
  json: {
    method: "POST",
    url: "/sdk/verify?outcome=passed",
    contentType: "application/json; charset=utf-8",
    body: JSON.stringify({ text: NASTY, control: "\b\f\t\u0001" }),
  },
  query: { method: "GET", url: "/api/oauth2/api_ticket?type=SIGN&x='%20$", contentType: "", body: "" },
};

/** How a language's program is run, or at least checked; the file's name is what it wants. */
const LANGUAGES: Record<
  string,
  { file: string; tool: string; runs: boolean; cases?: string[]; args: (path: string) => string[] }
> = {
  curl: { file: "call.sh", tool: "bash", runs: true, args: (path) => [path] },
  TypeScript: { file: "call.mts", tool: process.execPath, runs: true, args: (path) => [path] },
  Python: { file: "call.py", tool: "python3", runs: true, args: (path) => [path] },
  Java: { file: "Call.java", tool: "java", runs: true, cases: ["form"], args: (path) => [path] },
  Go: { file: "call.go", tool: "gofmt", runs: false, args: (path) => ["-d", "-e", path] },
};
const has = (tool: string) => spawnSync("sh", ["-c", `command -v "${tool}"`]).status === 0;

describe("the snippets repeat a call", () => {
  let server: Server;
  let origin: string;
  let directory: string;
  let received: RecordedRequest[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "snippets-"));
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { method = "", url = "", headers } = request;
      received.push({
        method,
        url,
        contentType: headers["content-type"] ?? "",
        body: Buffer.concat(chunks).toString(),
      });
      response.writeHead(404).end("the answer");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const program = (language: string, name: string) =>
    SNIPPETS[language]?.(describeRequest(REQUESTS[name] as RecordedRequest, origin)) ?? "";

  for (const [language, { file, tool, runs, args, cases }] of Object.entries(LANGUAGES)) {
    test.skipIf(!has(tool)).each(cases ?? Object.keys(REQUESTS))(`in ${language}: a %s`, async (name) => {
      const path = join(directory, file);
      writeFileSync(path, program(language, name));
      received = [];
      const { stdout } = await run(tool, args(path));
      // gofmt prints what it would change, and fails on what does not parse.
      if (!runs) return expect(stdout).toBe("");
      expect(stdout).toContain("the answer");
      const [seen] = received;
      const { method, url, contentType, body } = REQUESTS[name] as RecordedRequest;
      expect(seen?.method).toBe(method);
      // Some escape more than they must.
      expect(decodeURIComponent(seen?.url ?? "")).toBe(decodeURIComponent(url));
      if (body !== "") expect(seen?.contentType.split(";")[0]).toBe(contentType.split(";")[0]);
      const read = (text = "") => (name === "form" ? [...new URLSearchParams(text)] : text);
      expect(read(seen?.body)).toEqual(read(body));
    });
  }

  test.each(["Kotlin", "Swift"])(
    "in %s every quotation is closed and nothing is interpolated",
    (language) => {
      for (const name of Object.keys(REQUESTS)) {
        const text = program(language, name);
        const literals = [...text.matchAll(/"(?:[^"\\\n]|\\.)*"/g)].map(String);
        expect(text.replaceAll(/"(?:[^"\\\n]|\\.)*"/g, "")).not.toContain('"');
        const ours = literals.filter((literal) => literal.includes("Neil") || literal.includes("%20"));
        expect(ours.length).toBe(1);
        // Kotlin interpolates $, Swift \( after an even number of backslashes.
        if (language === "Kotlin") expect(ours[0]).not.toMatch(/(?<!\\)(\\\\)*\$/);
        else expect(ours[0]).not.toMatch(/(?<!\\)(\\\\)*\\[(bfu](?!\{)/);
      }
    },
  );
});
