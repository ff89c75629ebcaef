import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GetFaceParamsResponseSchema } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { missing } from "../support/programs.ts";
import { page, ROOT, snippet } from "./page.ts";

const run = promisify(execFile);
const DOCUMENT = page("clients.md");
const LIBRARIES = join(import.meta.dirname, "libraries");

/** As far as it is used; its own types want those of a browser. */
interface TreeSitter {
  Language: { load(path: string): Promise<object> };
  Parser: {
    new (): { setLanguage(language: object): void; parse(text: string): { rootNode: { hasError: boolean } } };
    init(): Promise<void>;
  };
}

/** The SDK for HarmonyOS and the system's HTTP client, as far as the snippet uses them. */
const HARMONY = `
declare const http: {
  createHttp(): { request(url: string, options: Record<string, unknown>): Promise<{ result: string | object }> };
  RequestMethod: { POST: string };
};
declare class InputData { faceId: string; orderNo: string; appId: string }
declare class WbFaceVerifyConfig { inputData: InputData }
declare class WbCloudFaceVerifySdk {
  static getInstance(): WbCloudFaceVerifySdk;
  initSdk(context: object, config: WbFaceVerifyConfig, callback: object): void;
  startWbFaceVerifySdk(context: object, callback: object): void;
}
declare function showError(message: string): void;
interface FaceParamsAnswer { code: string; msg: string; result: Record<"face_id" | "order_no" | "app_id", string> }
`;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "snippets-"));
  mkdirSync(join(directory, "out"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The program's complaints; "" when it has none. */
const complaints = (program: string, args: readonly string[]): Promise<string> =>
  run(program, args, { cwd: directory }).then(
    () => "",
    ({ stdout, stderr, message }: { stdout: string; stderr: string; message: string }) =>
      stdout + stderr || message,
  );

/** What is imported at the top of an app's file. */
function imports(names: readonly string[], end: string): string {
  const vendor = `api.WbCloudFaceContant api.WbCloudFaceVerifySdk api.listeners.WbCloudFaceVerifyLoginListener
    api.result.WbFaceError process.FaceVerifyStatus`.split(/\s+/);
  const android = "android.app.Activity android.os.Bundle org.json.JSONException org.json.JSONObject".split(
    " ",
  );
  const all = [
    ...vendor.map((name) => `com.tencent.cloud.huiyansdkface.facelight.${name}`),
    ...android,
    ...names,
  ];
  return all.map((name) => `import ${name}${end}\n`).join("");
}

describe.skipIf(missing("default-jdk-headless", "javac"))("Android", () => {
  const java = (body: string) =>
    `${imports(["java.util.function.Consumer"], ";")}class App {\n  void showError(String message) {}\n${body}}\n`;
  const javac = [
    "-J-XX:TieredStopAtLevel=1",
    "-proc:none",
    "-sourcepath",
    join(LIBRARIES, "android"),
    "-d",
    "out",
  ];

  test("the snippet in Java compiles against the SDK's classes, and one with a wrong name does not", async () => {
    const text = snippet(DOCUMENT, "### Android (Java");
    const compiled = async (body: string) => {
      writeFileSync(join(directory, "App.java"), java(body));
      return complaints("javac", [...javac, "App.java"]);
    };
    expect(await compiled(text)).toBe("");
    expect(await compiled(text.replace("FaceVerifyStatus.Mode.GRADE, ", ""))).toContain(
      "InputData cannot be applied",
    );
  });

  test.skipIf(missing("kotlin", "kotlinc"))(
    "the snippet in Kotlin compiles against the SDK's classes",
    { timeout: 300_000 },
    async () => {
      const coroutines = ["kotlinx.coroutines.Dispatchers", "kotlinx.coroutines.withContext"];
      const net = ["java.net.HttpURLConnection", "java.net.URL", "java.net.URLEncoder"];
      const head = `${imports([...coroutines, ...net], "")}fun showError(message: String) {}\n`;
      writeFileSync(join(directory, "App.kt"), head + snippet(DOCUMENT, "### Android (Kotlin"));
      // The classes of the SDK, which the Java snippet has compiled.
      const sources = [join(LIBRARIES, "kotlin/coroutines.kt"), "App.kt"];
      expect(await complaints("kotlinc", ["-cp", "out", "-d", "app", ...sources])).toBe("");
    },
  );
});

test("the snippet in Swift has no error for a parser of the language, and one with a brace too many has", async () => {
  const load = createRequire(import.meta.url);
  const { Language, Parser } = load("web-tree-sitter") as TreeSitter;
  await Parser.init();
  const grammars = load.resolve("@repomix/tree-sitter-wasms/package.json");
  const swift = await Language.load(join(grammars, "../out/tree-sitter-swift.wasm"));
  const parser = new Parser();
  parser.setLanguage(swift);
  const text = snippet(DOCUMENT, "### iOS");
  expect(parser.parse(text).rootNode.hasError).toBe(false);
  expect(parser.parse(text.replace("success: {", "success: {{")).rootNode.hasError).toBe(true);
});

test("the snippet in ArkTS compiles as TypeScript against the SDK's classes", async () => {
  const given = "name: string, idNo: string, context: object, loginCallback: object, resultCallback: object";
  const text = snippet(DOCUMENT, "### HarmonyOS");
  const compiled = async (body: string) => {
    writeFileSync(join(directory, "app.ts"), `${HARMONY}async function verify(${given}) {\n${body}}\n`);
    const options = ["--noEmit", "--strict", "--target", "es2022", "--types", "", "--ignoreConfig"];
    return complaints(join(ROOT, "node_modules/.bin/tsc"), [...options, "app.ts"]);
  };
  expect(await compiled(text)).toBe("");
  expect(await compiled(text.replace("inputData.orderNo", "inputData.orderNumber"))).toContain("orderNumber");
});

test("the snippet for uni-app hands the plug-in every value of the answer, and starts nothing on an error", () => {
  const values = GetFaceParamsResponseSchema.fields.map(({ name }) => [name, `the ${name}`]);
  const ended = (answer: object) => {
    const started: object[] = [];
    const said: object[] = [];
    const uni = {
      request: ({ success }: { success: (response: { data: object }) => void }) => success({ data: answer }),
      showToast: (toast: object) => said.push(toast),
    };
    const startFaceVerification = (parameters: object) => started.push(parameters);
    runInNewContext(snippet(DOCUMENT, "### uni-app"), {
      uni,
      startFaceVerification,
      name: "张三",
      idNo: "1",
    });
    return { started, said };
  };
  expect(ended({ code: "0", msg: "", result: Object.fromEntries(values) })).toEqual({
    said: [],
    started: [
      {
        faceId: "the face_id",
        agreementNo: "the order_no",
        openApiAppId: "the app_id",
        openApiAppVersion: "the version",
        openApiNonce: "the nonce",
        openApiUserId: "the user_id",
        openApiSign: "the sign",
        keyLicence: "the licence",
      },
    ],
  });
  expect(ended({ code: "400", msg: "wrong" })).toEqual({
    said: [{ title: "wrong", icon: "none" }],
    started: [],
  });
});
