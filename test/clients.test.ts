import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { GetFaceParamsResponseSchema } from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { startHarness } from "./support/harness.ts";

const ROOT = join(import.meta.dirname, "..");
const DOCUMENT = readFileSync(join(ROOT, "docs/clients.md"), "utf8");
const run = promisify(execFile);

/** Why programs that are missing here keep tests from running, said once; with REQUIRE_ALL=1 that is a failure. */
function missing(...programs: string[]): boolean {
  const absent = programs.filter((program) => {
    const directories = process.env["PATH"]?.split(":") ?? [];
    return !directories.some((directory) => existsSync(join(directory, program)));
  });
  if (absent.length === 0) return false;
  const reason = `no ${absent.join(", ")}: apt-get install -y protobuf-compiler protoc-gen-go protoc-gen-go-grpc`;
  if (process.env["REQUIRE_ALL"] === "1") throw new Error(`REQUIRE_ALL=1, but ${reason}`);
  console.log(`skipped: ${reason}`);
  return true;
}

/** The code blocks under a heading that begins so. */
function snippets(heading: string): string {
  const [, text = ""] = DOCUMENT.split(`\n${heading}`);
  const end = text.search(/\n##/);
  const blocks = [...text.slice(0, end < 0 ? undefined : end).matchAll(/```\w+\n(.*?)```/gs)];
  return blocks.map(([, block = ""]) => block).join("\n");
}

/** The fields of GetFaceParamsResponse that go to the SDK; the others are for the app itself. */
const FIELDS = GetFaceParamsResponseSchema.fields.map(({ name }) => name);
const FOR_THE_APP = ["start_before", "server_time", "livemode"];
const FOR_THE_SDK = FIELDS.filter((name) => !FOR_THE_APP.includes(name));

// The SDKs are handed to the vendor's customers only, so no snippet can be compiled here: what is checked is that
// each names fields that exist, all of them, and the SDK's arguments in the order of protocol.md 7.1 and 7.2.
describe("the snippets for apps (fields only; nothing is compiled)", () => {
  const ANDROID_ORDER = ["face_id", "order_no", "app_id", "version", "nonce", "user_id", "sign", "licence"];
  const rows = [...DOCUMENT.matchAll(/^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|/gm)].map(([, ...cells]) => cells);

  test("the table maps every field for the SDK to the names of protocol.md 7.1 and 7.2", () => {
    expect(new Set(rows.map(([ours]) => ours))).toEqual(new Set(FOR_THE_SDK));
    expect(Object.fromEntries(rows.map(([ours, android]) => [android, ours]))).toEqual({
      faceId: "face_id",
      agreementNo: "order_no",
      openApiAppId: "app_id",
      openApiAppVersion: "version",
      openApiNonce: "nonce",
      openApiUserId: "user_id",
      openApiSign: "sign",
      keyLicence: "licence",
    });
  });

  test("Android: the constructor's order, with the mode before the licence", () => {
    const constructor = /InputData\((.*?)\n {4}\)/s.exec(snippets("### Android"))?.[1] ?? "";
    const given = [...constructor.matchAll(/getString\("(\w+)"\)|(Mode\.GRADE)/g)].map(
      ([, field, mode]) => field ?? mode,
    );
    expect(given).toEqual([...ANDROID_ORDER.slice(0, 7), "Mode.GRADE", "licence"]);
  });

  test("iOS: the selector's labels in order, each with its field", () => {
    const call = /initAdvanceSDK\((.*?)success:/s.exec(snippets("### iOS"))?.[1] ?? "";
    const given = [...call.matchAll(/(\w+): text\("(\w+)"\)/g)].map(([, label, field]) => [label, field]);
    expect(given).toEqual([
      ["withUserId", "user_id"],
      ["nonce", "nonce"],
      ["sign", "sign"],
      ["appid", "app_id"],
      ["orderNo", "order_no"],
      ["apiVersion", "version"],
      ["licence", "licence"],
      ["faceId", "face_id"],
    ]);
  });

  test("uni-app: the table's names", () => {
    const given = [...snippets("### uni-app").matchAll(/(\w+): p\.(\w+)/g)].map(([, name, field]) => [
      field,
      name,
    ]);
    expect(Object.fromEntries(given)).toEqual(
      Object.fromEntries(rows.map(([ours, android]) => [ours, android])),
    );
  });

  test.each(["### Android", "### iOS", "### HarmonyOS", "### uni-app"])(
    "%s names no field that does not exist",
    (heading) => {
      const code = snippets(heading);
      const used = [...code.matchAll(/\bp\.([a-z_]+)\b|(?:\bp\.getString|\btext)\("(\w+)"\)/g)]
        .map(([, member, named]) => member ?? named ?? "")
        .filter((field) => field !== "get");
      expect(used.length).toBeGreaterThan(2);
      expect(used.filter((field) => !FIELDS.includes(field))).toEqual([]);
      const sent = [...code.matchAll(/\b(id_no|name|order_no)\b/g)].map(([field]) => field);
      expect(sent).toContain("id_no");
    },
  );
});

describe("the buf.gen.yaml files", () => {
  const files = [...DOCUMENT.matchAll(/```yaml\n(version: v2\n.*?)```/gs)].map(([, yaml = ""]) => yaml);
  /** Those whose plug-ins are programs; the others need buf's servers, and are not run. */
  const local = files.filter((yaml) => !yaml.includes("remote:"));

  test("all but the one for Swift are run here", () => expect([files.length, local.length]).toEqual([3, 2]));

  describe.skipIf(missing("protoc", "protoc-gen-go", "protoc-gen-go-grpc"))("generate", () => {
    test.each(local.map((yaml) => [/(?:local|protoc_builtin): (\S+)/.exec(yaml)?.[1], yaml]))(
      "%s",
      async (_name, yaml = "") => {
        const directory = mkdtempSync(join(tmpdir(), "generate-"));
        try {
          cpSync(join(ROOT, "proto"), join(directory, "proto"), { recursive: true });
          writeFileSync(join(directory, "buf.gen.yaml"), yaml);
          await run(join(ROOT, "node_modules/.bin/buf"), ["generate"], { cwd: directory });
          const written = readdirSync(join(directory, "gen"), { recursive: true, encoding: "utf8" }).join(
            "\n",
          );
          expect(written).toMatch(/face_verification_service(_grpc)?\.pb\.go|GetResultResponse\.java/);
        } finally {
          rmSync(directory, { recursive: true, force: true });
        }
      },
    );
  });
});

describe("the package's entry point for callers", () => {
  const directory = mkdtempSync(join(tmpdir(), "client-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test("built, packed and installed, the example of docs/clients.md runs and has types", async () => {
    const [example = ""] = /import .* from "faceverification\/client".*?(?=```)/s.exec(DOCUMENT) ?? [];
    const text = DOCUMENT.slice(DOCUMENT.indexOf(example) - 200, DOCUMENT.indexOf(example))
      .split("```ts\n")
      .at(-1);
    const program = `${text ?? ""}${example}`;
    expect(program).toContain("// true");

    const source = join(directory, "source");
    const installed = join(directory, "node_modules/faceverification");
    mkdirSync(source);
    mkdirSync(installed, { recursive: true });
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    await run(tsc, ["-p", join(ROOT, "tsconfig.build.json"), "--outDir", join(source, "dist")], {
      cwd: ROOT,
    });
    for (const name of ["package.json", "proto"])
      cpSync(join(ROOT, name), join(source, name), { recursive: true });
    const { stdout } = await run(
      "npm",
      ["pack", "--silent", "--ignore-scripts", "--pack-destination", directory],
      {
        cwd: source,
      },
    );
    await run("tar", ["xzf", join(directory, stdout.trim()), "-C", installed, "--strip-components=1"]);
    for (const scope of ["@bufbuild", "@connectrpc", "@types", "undici-types"]) {
      symlinkSync(join(ROOT, "node_modules", scope), join(directory, "node_modules", scope));
    }

    await using harness = await startHarness();
    const { body } = await harness.form("/get_face_params", { name: "张三", id_no: "11010519491231002X" });
    const launch = (body as { result: { order_no: string } }).result;
    await harness.playSdk(launch, "passed");
    const here = program.replaceAll("http://127.0.0.1:50051", harness.grpc);
    const env = { ...process.env, ORDER: launch.order_no };
    const args = ["--input-type=module-typescript", "--eval", here];
    expect((await run(process.execPath, args, { cwd: directory, env })).stdout).toBe("true\n");

    writeFileSync(join(directory, "package.json"), '{"type":"module"}');
    writeFileSync(join(directory, "example.ts"), program);
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node"];
    await run(tsc, [...options, "--skipLibCheck", "example.ts"], { cwd: directory });
  });
});
