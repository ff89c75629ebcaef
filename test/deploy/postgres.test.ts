import { expect, test } from "vitest";
import { parse } from "yaml";
import { readConfig } from "../../src/config/config.ts";
import { variablesOfTheCode } from "../support/variables.ts";
import { compose, deployed, type Manifest, manifest } from "./manifests.ts";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const FILES: Record<string, string> = {
  faceid_secret: "secret",
  store_url: "postgres://faceid:password@postgres/faceid",
  ledger_url: "postgres://faceid:password@postgres/faceid",
  webhook_endpoints: "backend=https://backend.example/hook",
  webhook_secrets: `backend:${SECRET}`,
  http_auth_tokens: "backend:0123456789abcdef",
  grpc_auth_tokens: "backend:0123456789abcdef",
};
const image = { HTTP_ADDR: "0.0.0.0:8080", GRPC_ADDR: "0.0.0.0:50051" };

/** What a process is told by these variables, whose files are in a folder of the secrets' names. */
const configured = (env: Record<string, string>) =>
  readConfig({ ...image, ...env }, (path) => {
    const content = FILES[path.replace(/^.*\//, "").replaceAll("-", "_")];
    if (content === undefined) throw new Error(`no such file: ${path}`);
    return content;
  });

const filled = (environment: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace(/\$\{\w+(?::-(.*)|:\?.*)\}/, (_, otherwise?: string) => otherwise ?? "IDAXXXXX"),
    ]),
  );

test("the compose file for PostgreSQL keeps tickets and orders in one database", () => {
  // The merge of `extends` and `!override`, as Compose makes it.
  const overlay = parse(deployed("compose.postgres.yaml").replace("!override", "")) as typeof compose;
  const environment = {
    ...compose.services["faceverification"]?.environment,
    ...overlay.services["faceverification"]?.environment,
  };
  const known = variablesOfTheCode();
  expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
  const { store, ledger, webhooks } = configured(filled(environment));
  expect([store.kind, ledger?.location.kind, webhooks.map(({ name }) => name)]).toEqual([
    "postgres",
    "postgres",
    ["backend"],
  ]);
  const used = [
    ...(compose.services["faceverification"]?.secrets ?? []),
    ...Object.values(overlay.services).flatMap(({ secrets = [] }) => secrets),
  ];
  expect([...new Set(used)].sort()).toEqual(Object.keys(overlay.secrets).sort());
});

test("the overlay for Kubernetes adds the ledger's files and lets PostgreSQL through", () => {
  const read = (file: string) => parse(deployed(`kubernetes-postgres/${file}`)) as Manifest;
  const { resources, patches } = parse(deployed("kubernetes-postgres/kustomization.yaml")) as {
    resources: string[];
    patches: { path: string }[];
  };
  expect([resources, patches.map(({ path }) => path)]).toEqual([
    ["../kubernetes"],
    ["deployment.yaml", "network-policy.yaml"],
  ]);
  for (const { path } of patches) expect(manifest(read(path).kind, read(path).metadata.name)).toBeDefined();

  const [container] = read("deployment.yaml").spec.template.spec.containers;
  const [base] = manifest("Deployment").spec.template.spec.containers;
  expect(container.name).toBe(base.name);
  const variables = [...base.env, ...container.env] as { name: string; value?: string }[];
  const env = Object.fromEntries(
    variables.map(({ name, value = "" }) => [name, value.replace("$(POD_IP)", "10.1.2.3")]),
  );
  const { ledger, webhooks } = configured({ ...env, FACEID_APP_ID: "IDAXXXXX" });
  expect([ledger?.location.kind, webhooks.length]).toEqual(["postgres", 1]);

  const ports = (policy: Manifest): unknown[] =>
    policy.spec.egress.flatMap((rule: { ports: { port: number }[] }) => rule.ports.map(({ port }) => port));
  const before = ports(manifest("NetworkPolicy"));
  expect(ports(read("network-policy.yaml")).filter((port) => !before.includes(port))).toEqual([5432]);
  expect(before.filter((port) => !ports(read("network-policy.yaml")).includes(port))).toEqual([]);
});
