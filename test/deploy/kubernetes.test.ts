import { describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { readConfig } from "../../src/config/config.ts";
import { variablesOfTheCode } from "../support/variables.ts";
import { configMap, kustomization, type Manifest, manifest, manifests } from "./manifests.ts";

/** The published schemas of the kinds that are used. Not imported as types, which do not satisfy our compiler's options. */
const MODELS = "kubernetes-models";
const KINDS: Record<string, string> = {
  Deployment: `${MODELS}/apps/v1/Deployment`,
  HorizontalPodAutoscaler: `${MODELS}/autoscaling/v2/HorizontalPodAutoscaler`,
  NetworkPolicy: `${MODELS}/networking.k8s.io/v1/NetworkPolicy`,
  PodDisruptionBudget: `${MODELS}/policy/v1/PodDisruptionBudget`,
  Service: `${MODELS}/v1/Service`,
  ServiceAccount: `${MODELS}/v1/ServiceAccount`,
  ServiceMonitor: "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor",
};

async function schemaProblem({ file: _file, ...json }: Manifest & { file?: string }): Promise<string> {
  const path = KINDS[json.kind];
  if (path === undefined) return `no schema for ${json.kind}`;
  const kinds = (await import(path)) as Record<string, new (json: object) => { validate(): void }>;
  const Kind = kinds[json.kind];
  if (!Kind) return `no ${json.kind} in ${path}`;
  try {
    new Kind(json).validate();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

const { template, ...spec } = manifest("Deployment").spec;
const pod = template.spec;
const [container] = pod.containers;
const ports = new Map<string, number>(
  container.ports.map((port: { name: string; containerPort: number }) => [port.name, port.containerPort]),
);
const variables = new Map<string, string>([
  ...configMap,
  ...container.env.map(({ name, value }: { name: string; value?: string }) => [name, value ?? ""]),
]);

/** What a process is told there, with the pod's address in place and files as they will be. */
function configured() {
  const env = Object.fromEntries(
    [...variables].map(([name, value]) => [name, value.replace("$(POD_IP)", "10.1.2.3")]),
  );
  // As the image sets them.
  const image = { HTTP_ADDR: "0.0.0.0:8080", GRPC_ADDR: "0.0.0.0:50051" };
  const files: Record<string, string> = {
    "faceid-secret": "secret",
    "store-url": "redis://:password@valkey:6379",
    "http-auth-tokens": "backend:0123456789abcdef",
    "grpc-auth-tokens": "backend:0123456789abcdef",
  };
  return readConfig({ ...image, ...env }, (path) => {
    const [, name = ""] = /^\/run\/secrets\/faceverification\/([\w-]+)$/.exec(path) ?? [];
    const content = files[name];
    if (content === undefined) throw new Error(`no such file: ${path}`);
    return content;
  });
}

describe.each(manifests)("$file: $kind $metadata.name", (each) => {
  test("a manifest follows the schema of its kind", async () => {
    expect(await schemaProblem(each)).toBe("");
  });

  test("a manifest is part of the base", () => {
    expect(kustomization.resources).toContain(each.file);
  });
});

test("a manifest that violates its schema is detected", async () => {
  expect(await schemaProblem({ ...manifest("Deployment"), spec: { replicas: "three" } })).not.toBe("");
});

test("every file of the base exists", () => {
  expect([...kustomization.resources].sort()).toEqual([...new Set(manifests.map(({ file }) => file))].sort());
});

test("the manifests set only variables that exist, and they form a configuration", () => {
  const known = variablesOfTheCode();
  expect([...variables.keys()].filter((name) => name !== "POD_IP" && !known.has(name))).toEqual([]);
  const config = configured();
  expect(config.admin).toEqual({ host: "10.1.2.3", port: ports.get("admin") });
  expect([config.http.port, config.grpc.port]).toEqual([ports.get("http"), ports.get("grpc")]);
  expect(config.store.kind).toBe("redis");
});

test("only the admin listener may admit callers without a credential", () => {
  variables.set("GRPC_AUTH_TOKENS_FILE", "");
  expect(configured).toThrow(/GRPC_ADDR: 0\.0\.0\.0 is reachable/);
  variables.set("GRPC_AUTH_TOKENS_FILE", "/run/secrets/faceverification/grpc-auth-tokens");
});

test("the probes use names known to the health service, at its port", () => {
  const { startupProbe, livenessProbe, readinessProbe } = container;
  for (const { grpc } of [startupProbe, livenessProbe, readinessProbe])
    expect(grpc.port).toBe(ports.get("grpc"));
  expect(readinessProbe.grpc.service).toBe(FaceVerificationService.typeName);
  expect([startupProbe.grpc.service, livenessProbe.grpc.service]).toEqual([undefined, undefined]);
});

test("a pod has longer to stop than its process needs, and traffic ends before the doors close", () => {
  const { shutdownGraceMs, shutdownDelayMs } = configured();
  expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(shutdownGraceMs);
  const { periodSeconds, failureThreshold } = container.readinessProbe;
  expect(shutdownDelayMs).toBeGreaterThan(periodSeconds * failureThreshold * 1000);
});

test("the selectors match the pods, and the monitor its service", () => {
  const { labels } = template.metadata;
  expect(spec.selector.matchLabels).toEqual(labels);
  expect(manifest("PodDisruptionBudget").spec.selector.matchLabels).toEqual(labels);
  expect(manifest("NetworkPolicy").spec.podSelector.matchLabels).toEqual(labels);
  const services = manifests.filter(({ kind }) => kind === "Service");
  expect(services).toHaveLength(3);
  for (const service of services) {
    expect(service.spec.selector).toEqual(labels);
    for (const { targetPort } of service.spec.ports) expect(ports.has(targetPort)).toBe(true);
  }
  const { selector, endpoints } = manifest("ServiceMonitor").spec;
  const scraped = services.filter(({ metadata }) =>
    Object.entries(selector.matchLabels).every(([name, value]) => metadata.labels?.[name] === value),
  );
  expect(scraped.map(({ metadata }) => metadata.name)).toEqual(["faceverification-admin"]);
  expect(scraped[0]?.spec.ports.map(({ name }: { name: string }) => name)).toEqual([endpoints[0].port]);
  expect(manifest("HorizontalPodAutoscaler").spec.scaleTargetRef.name).toBe(
    manifest("Deployment").metadata.name,
  );
});

test("a pod has no privileges that it does not need", () => {
  expect(pod.securityContext).toMatchObject({
    runAsNonRoot: true,
    seccompProfile: { type: "RuntimeDefault" },
  });
  expect(container.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  expect([pod.automountServiceAccountToken, pod.serviceAccountName]).toEqual([false, "faceverification"]);
  // Files, so that a secret stands in no environment and can be exchanged.
  expect(
    [...variables].filter(([name]) => /SECRET|TOKENS|KEYS|STORE_URL/.test(name)).map(([name]) => name),
  ).toEqual(["FACEID_SECRET_FILE", "STORE_URL_FILE", "HTTP_AUTH_TOKENS_FILE", "GRPC_AUTH_TOKENS_FILE"]);
});
