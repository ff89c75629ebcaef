import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

const DEPLOY = join(import.meta.dirname, "../../deploy");

export const deployed = (path: string): string => readFileSync(join(DEPLOY, path), "utf8");

/** As far as the tests look into them. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a shape of its own
  spec?: any;
}

export const kustomization = parse(deployed("kubernetes/kustomization.yaml")) as {
  resources: string[];
  configMapGenerator: { name: string; literals: string[] }[];
};

/** Every manifest of the Kustomize base, with the file it is in. */
export const manifests: (Manifest & { file: string })[] = readdirSync(join(DEPLOY, "kubernetes"))
  .filter((file) => file.endsWith(".yaml") && file !== "kustomization.yaml")
  .flatMap((file) =>
    parseAllDocuments(deployed(`kubernetes/${file}`)).map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return { ...(document.toJS() as Manifest), file };
    }),
  );

export function manifest(kind: string, name = "faceverification"): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** The generated ConfigMap's variables. */
export const configMap = new Map(
  kustomization.configMapGenerator.flatMap(({ literals }) =>
    literals.map((literal) => literal.split(/=(.*)/s).slice(0, 2) as [string, string]),
  ),
);

interface ComposeService {
  environment?: Record<string, string>;
  secrets?: string[];
  stop_grace_period?: string;
  read_only?: boolean;
  cap_drop?: string[];
}

export const compose = parse(deployed("compose.yaml")) as {
  services: Record<string, ComposeService>;
  secrets: Record<string, { file: string }>;
};
