import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { SandboxOptions } from "../../src/sandbox/options.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { COMPILE_CACHE } from "./compile-cache.ts";
import { eventually } from "./harness.ts";

/** A process of `src/main.ts`. */
export interface Child {
  pid: number;
  /** Base URLs. */
  http: string;
  admin: string;
  /** `host:port`. */
  grpc: string;
  /** Every line of standard output so far. */
  out: string[];
  /** Standard error so far. */
  err(): string;
  signal(signal: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  exited: Promise<number | string>;
}

const children = new Set<ChildProcess>();

/** Throws on SIGUSR2 and rejects on SIGWINCH what nobody waits for, as a bug would. */
const SABOTAGE = `data:text/javascript,${encodeURIComponent(`
  const error = () => Object.assign(new Error(process.env.SABOTAGE), { detail: process.env.SABOTAGE });
  process.on("SIGUSR2", () => { throw error(); });
  process.on("SIGWINCH", () => { Promise.reject(error()); });
`)}`;

const aloud = (text: string) =>
  `data:text/javascript,${encodeURIComponent(`console.log(${JSON.stringify(text)}); console.error(${JSON.stringify(text)});`)}`;

export interface ChildOptions {
  env: Record<string, string>;
  /** What the sabotage says, which no log may repeat. */
  sabotage?: string;
  /** What the process says aloud when it starts, on both its streams. */
  spoken?: string;
}

/** What a process of the service needs of the environment, whatever is set around the tests; its ports are free ones. */
export const CHILD_ENV = {
  PATH: process.env["PATH"],
  ...COMPILE_CACHE,
  HTTP_ADDR: "127.0.0.1:0",
  GRPC_ADDR: "127.0.0.1:0",
  ADMIN_ADDR: "127.0.0.1:0",
};

/** Starts the process and returns at once. */
export function launchChild({
  env,
  sabotage,
  spoken,
}: ChildOptions): Pick<Child, "pid" | "out" | "err" | "signal" | "exited"> {
  const args = [
    ...(sabotage === undefined ? [] : ["--import", SABOTAGE]),
    ...(spoken === undefined ? [] : ["--import", aloud(spoken)]),
  ];
  const child = spawn(process.execPath, [...args, "src/main.ts"], {
    cwd: join(import.meta.dirname, "../.."),
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...CHILD_ENV,
      ...(sabotage !== undefined && { SABOTAGE: sabotage }),
      ...env,
    },
  });
  children.add(child);
  const out: string[] = [];
  const err: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => out.push(line));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk.toString()));
  const exited = once(child, "close").then(([code, signal]: unknown[]) => {
    children.delete(child);
    return (code ?? signal) as number | string;
  });
  const pid = child.pid ?? 0;
  return { pid, out, err: () => err.join(""), signal: (signal) => void child.kill(signal), exited };
}

/** Starts the process and waits until it is ready, or started if `ready` is false. */
export async function startChild(options: ChildOptions & { ready?: boolean }): Promise<Child> {
  const launched = launchChild(options);
  let gone = false;
  void launched.exited.then(() => {
    gone = true;
  });
  const started = () => launched.out.find((line) => line.includes('"service_started"'));
  await eventually(() => gone || started() !== undefined);
  const line = started();
  if (line === undefined)
    throw new Error(`the service did not start:\n${launched.out.join("\n")}${launched.err()}`);
  const { http, grpc, admin } = JSON.parse(line) as { http: string; grpc: string; admin: string };
  const child = { ...launched, http: `http://${http}`, admin: `http://${admin}`, grpc };
  if (options.ready ?? true) await eventually(async () => (await fetch(`${child.admin}/readyz`)).ok);
  return child;
}

/** Kills what a failed test has left. For `afterEach`. */
export async function endChildren(): Promise<void> {
  await Promise.all(
    [...children].map((child) => {
      const closed = once(child, "close");
      child.kill("SIGKILL");
      return closed;
    }),
  );
}

/** A sandbox, and the environment of a process in front of it. */
export async function startUpstream(
  options?: SandboxOptions,
): Promise<{ sandbox: Sandbox; env: Record<string, string> }> {
  const sandbox = createSandbox(options);
  await sandbox.start();
  const env = {
    FACEID_APP_ID: sandbox.appId,
    FACEID_SECRET: sandbox.secret,
    FACEID_BASE_URL: sandbox.url,
    STORE_URL: "memory:",
  };
  return { sandbox, env };
}
