import { expect, test } from "vitest";
import { ConfigError, readConfig } from "../../src/config/config.ts";
import { editDistance } from "../../src/config/stray-names.ts";
import { startHarness } from "../support/harness.ts";

const BASE = { FACEID_APP_ID: "IDAXXXXX", FACEID_SECRET: "secret" };
const warningsOf = (env: Record<string, string>, content = "") =>
  readConfig({ ...BASE, ...env }, () => content).warnings;

test.each([
  ["FACEID_EDITON", "FACEID_EDITION"],
  ["FACEID_EIDTION", "FACEID_EDITION"],
  ["FACEID_APPID", "FACEID_APP_ID"],
  ["FACEID_SECRETS", "FACEID_SECRET"],
  ["FACEID_LICENSE", "FACEID_LICENCE"],
  ["GRPC_AUTH_TOKEN", "GRPC_AUTH_TOKENS"],
  ["STORE_KEY", "STORE_KEYS"],
  ["faceid_edition", "FACEID_EDITION"],
])("the unknown variable %s is reported with the similar name %s", (name, meant) => {
  expect(warningsOf({ [name]: "topsecret" })).toEqual([`${name}: nothing reads it; is ${meant} meant?`]);
});

test("an unknown FACEID_… without a similar name is reported too", () => {
  expect(warningsOf({ FACEID_COLOUR: "blue" })).toEqual(["FACEID_COLOUR: nothing reads it"]);
});

test("variables of other programs are not reported as typos", () => {
  const others = {
    PATH: "/bin",
    HOME: "/",
    SSL_CERT_FILE: "/etc/ssl/cert.pem",
    HTTP_PROXY: "http://proxy:1",
    NODE_OPTIONS: "",
    OTEL_EXPORTER_OTLP_HEADERS: "a=b",
    LOG_FORMAT: "json",
    ROLES: "a",
    // Set by Kubernetes for Services called faceid and faceid-redis.
    FACEID_SERVICE_HOST: "10.0.0.1",
    FACEID_SERVICE_PORT_HTTP: "8080",
    FACEID_PORT: "tcp://10.0.0.1:8080",
    FACEID_PORT_8080_TCP: "tcp://10.0.0.1:8080",
    FACEID_PORT_8080_TCP_ADDR: "10.0.0.1",
    FACEID_REDIS_SERVICE_PORT: "6379",
  };
  expect(warningsOf(others)).toEqual([]);
});

test.each([
  ["FACEID_SECRET", '"topsecret"'],
  ["FACEID_SECRET", "'topsecret'"],
  ["FACEID_LICENCE", "“topsecret”"],
])("the quotation marks in %s=%s are reported without the value", (name, value) => {
  const warnings = warningsOf({ [name]: value });
  expect(warnings).toEqual([
    `${name}: begins or ends with a quotation mark, which counts as part of the value`,
  ]);
});

test("quotation marks in a file and around an unreadable value are reported", () => {
  const env = { FACEID_SECRET: "", FACEID_SECRET_FILE: "secret" };
  expect(warningsOf(env, '"topsecret"\n')).toEqual([
    "FACEID_SECRET_FILE: begins or ends with a quotation mark, which counts as part of the value",
  ]);
  let error: unknown;
  try {
    readConfig({ ...BASE, FACEID_EDITION: '"plus"', FACEID_EDITON: "plus" }, () => "");
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).warnings.map((warning) => warning.split(":")[0])).toEqual([
    "FACEID_EDITION",
    "FACEID_EDITON",
  ]);
  expect((error as ConfigError).message).toContain("is FACEID_EDITION meant?");
});

test("the link of a Kubernetes Service called sandbox is not taken for a port", () => {
  expect(warningsOf({ SANDBOX_PORT: "tcp://10.0.0.1:8090" })).toEqual([
    "SANDBOX_PORT: is the link of a Kubernetes Service called sandbox, and no port; ignored (enableServiceLinks: false)",
  ]);
  expect(warningsOf({ SANDBOX_PORT: "8090" })).toEqual([]);
});

test("the edit distance counts omitted, added, changed and swapped letters", () => {
  const pairs = [
    ["abc", "abc"],
    ["abc", "abcd"],
    ["abc", "ac"],
    ["abc", "adc"],
    ["abc", "acb"],
    ["", "abc"],
    ["abcd", "badc"],
  ] as const;
  expect(pairs.map(([a, b]) => editDistance(a, b))).toEqual([0, 1, 1, 1, 1, 3, 2]);
});

test("all warnings are logged in one line at start", async () => {
  await using harness = await startHarness({
    env: { FACEID_EDITON: "plus", OTEL_TRACES_EXPORTER: "console" },
  });
  const lines = harness.logs.filter(({ event }) => event === "config_warning");
  expect(lines).toMatchObject([
    { level: "warn", warnings: [expect.stringMatching(/^OTEL_/), expect.stringMatching(/^FACEID_EDITON: /)] },
  ]);
});
