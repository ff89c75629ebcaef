import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/lib/cli.ts";
import { readArguments } from "../../src/sandbox/arguments.ts";
import { createSandbox } from "../../src/sandbox/sandbox.ts";

test("without arguments the sandbox runs with a service on the default port", () => {
  const { upstreamOnly, backend, sandbox } = readArguments([], {});
  expect({ upstreamOnly, backend }).toEqual({ upstreamOnly: false, backend: undefined });
  expect(sandbox).toMatchObject({ port: 8090, latencyMs: 0, overlapMs: 60_000, strict: true });
  expect(readArguments([], { SANDBOX_PORT: "8091" }).sandbox.port).toBe(8091);
  // Set by Kubernetes for a Service called sandbox.
  expect(readArguments([], { SANDBOX_PORT: "tcp://10.0.0.1:8090" }).sandbox.port).toBe(8090);
});

test("every command-line option is applied", () => {
  const secret = "s".repeat(64);
  const args = `--upstream-only --backend http://127.0.0.1:3000/ --port 0 --host 0.0.0.0 --app-id IDA00001
    --secret ${secret} --seed 7 --latency 30ms --overlap 6s --edition basic,plus --answers printed --lenient --json`.split(
    /\s+/,
  );
  const { sandbox, ...rest } = readArguments(args, { SANDBOX_PORT: "8091" });
  expect(rest).toEqual({ upstreamOnly: true, backend: "http://127.0.0.1:3000", json: true });
  expect(sandbox).toEqual({
    port: 0,
    host: "0.0.0.0",
    appId: "IDA00001",
    secret,
    random: expect.any(Function) as unknown,
    latencyMs: 30,
    overlapMs: 6000,
    editions: ["basic", "plus"],
    answers: "printed",
    strict: false,
  });
});

test.each([
  [["--host"], "0.0.0.0"],
  [["--host", "--seed", "7"], "0.0.0.0"],
  [["--host", "192.0.2.7", "--seed", "7"], "192.0.2.7"],
  [["--seed", "7"], undefined],
])("the arguments %j listen on %s", (args, host) => {
  expect(readArguments(args, {}).sandbox.host).toBe(host);
});

test("the same seed generates the same secret", () => {
  const secretOf = (seed: string) => createSandbox(readArguments(["--seed", seed], {}).sandbox).secret;
  expect(secretOf("7")).toBe(secretOf("7"));
  expect(secretOf("7")).not.toBe(secretOf("8"));
});

describe("invalid arguments of the sandbox", () => {
  test.each([
    [["--colour"], "--colour"],
    [["stray"], "stray"],
    [["--port"], "--port"],
    [["--port", "65536"], "--port"],
    [["--port", "x"], "--port"],
    [["--app-id", "short"], "--app-id"],
    [["--secret", "short"], "--secret"],
    [["--seed", "seven"], "--seed"],
    [["--latency", "30"], "--latency"],
    [["--overlap", "x"], "--overlap"],
    [["--edition", "basic,deluxe"], "--edition"],
    [["--answers", "guessed"], "--answers"],
    [["--upstream-only", "--backend", "nowhere"], "--backend"],
    [["--backend", "http://127.0.0.1:3000"], "--backend"],
  ])("the arguments %j are rejected with the option's name", (args, name) => {
    expect(() => readArguments(args, {})).toThrow(UsageError);
    expect(() => readArguments(args, {})).toThrow(name);
  });

  test("all invalid arguments are reported at once, without the secret's value", () => {
    const args = ["--port", "x", "--secret", "hunter2"];
    expect(() => readArguments(args, {})).toThrow(/--port.*\n--secret: must have 64 characters$/);
  });
});
