import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { variablesOfTheCode } from "../support/variables.ts";
import { compose, deployed } from "./manifests.ts";

const { faceverification, balancer, valkey } = compose.services;
const environment = faceverification?.environment ?? {};
/** Variables that are left to whoever starts it. */
const filled = Object.fromEntries(
  Object.entries(environment).map(([name, value]) => [
    name,
    value.replace(/\$\{\w+(?::-(.*)|:\?.*)\}/, (_, otherwise?: string) => otherwise ?? "IDAXXXXX"),
  ]),
);
const FILES: Record<string, string> = {
  faceid_secret: "secret",
  store_url: "redis://:password@valkey:6379",
  http_auth_tokens: "backend:0123456789abcdef",
  grpc_auth_tokens: "backend:0123456789abcdef",
};
const image = { HTTP_ADDR: "0.0.0.0:8080", GRPC_ADDR: "0.0.0.0:50051" };
const config = readConfig({ ...image, ...filled }, (path) => {
  const content = FILES[path.replace("/run/secrets/", "")];
  if (content === undefined) throw new Error(`no such file: ${path}`);
  return content;
});

test("the compose file sets only variables that exist, and they form a configuration with limits", () => {
  const known = variablesOfTheCode();
  expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
  const { perPerson, perIp, perCaller } = config.limits;
  expect([perPerson.length, perIp.length, perCaller.length].every((count) => count > 0)).toBe(true);
});

test("every secret is a declared file", () => {
  expect([...(faceverification?.secrets ?? [])].sort()).toEqual(Object.keys(FILES).sort());
  const used = Object.values(compose.services).flatMap(({ secrets = [] }) => secrets);
  expect(used.filter((name) => !(name in compose.secrets))).toEqual([]);
});

test("a container has longer to stop than its process needs", () => {
  const [, seconds] = /^(\d+)s$/.exec(faceverification?.stop_grace_period ?? "") ?? [];
  expect(Number(seconds) * 1000).toBeGreaterThan(config.shutdownGraceMs);
});

test("a container can write only where it must", () => {
  for (const service of [faceverification, balancer, valkey]) expect(service?.read_only).toBe(true);
  expect(faceverification?.cap_drop).toEqual(["ALL"]);
});

test("the balancer follows readiness at the doors' ports", () => {
  const text = deployed("compose/haproxy.cfg");
  expect(text).toContain("option httpchk GET /readyz");
  expect(text).toContain(`port ${config.admin.port}`);
  expect(text).toMatch(new RegExp(`server-template http \\d+ faceverification:${config.http.port}`));
  expect(text).toMatch(new RegExp(`server-template grpc \\d+ faceverification:${config.grpc.port} proto h2`));
});

/** Why HAProxy cannot be used here, said once on the console; with REQUIRE_ALL=1 a skip is a failure. */
function missingHaproxy(): string | undefined {
  try {
    execFileSync("haproxy", ["-v"], { stdio: "ignore" });
    return undefined;
  } catch {
    const reason = "no haproxy: RUNLEVEL=1 apt-get install -y --no-install-recommends haproxy";
    if (process.env["REQUIRE_ALL"] === "1") throw new Error(`REQUIRE_ALL=1, but ${reason}`);
    console.log(`skipped: ${reason}`);
    return reason;
  }
}

test.skipIf(missingHaproxy())("HAProxy accepts its configuration file", () => {
  const file = join(import.meta.dirname, "../../deploy/compose/haproxy.cfg");
  const said = execFileSync("haproxy", ["-c", "-V", "-f", file], { stdio: "pipe", encoding: "utf8" });
  expect(said).toContain("Configuration file is valid");
});
