import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../src/lib/clock.ts";
import { COMPILE_CACHE } from "../test/support/compile-cache.ts";
import { freePort, isOpen } from "../test/support/free-port.ts";

/** A program under load, in a process of its own. */
export interface Program {
  /** Base URLs; the same program answers at all it has. */
  http: string;
  grpc: string;
  admin: string;
  /** Processor time so far, user and system, milliseconds. */
  cpuMs(): number;
  /** Resident memory, MiB. */
  rssMiB(): number;
  pid: number;
  /** From spawn to ready, milliseconds. */
  readyMs: number;
  /** At once, unless another signal lets it end by itself. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const ROOT = join(import.meta.dirname, "..");
const running = new Set<ChildProcess>();
const TICK_MS = 10;

export interface ProcessOptions {
  args?: readonly string[];
  /** Options of Node and V8. */
  nodeArgs?: readonly string[];
  /** Directory of a control group that the process joins before it becomes a Node, which looks for its limits at once. */
  cgroup?: string | undefined;
  /** Directory of the version that is started, its dependencies installed. */
  root?: string;
}

/** Starts a script with free ports in PORT and GRPC_PORT, its output thrown away, and waits until it answers. */
export async function startProgram(
  script: string,
  env: Record<string, string> = {},
  { args = [], nodeArgs = [], cgroup, root = ROOT }: ProcessOptions = {},
): Promise<Program> {
  const [http, grpc, admin] = await Promise.all([freePort(), freePort(), freePort()]);
  const startedAt = performance.now();
  const node: string[] = [process.execPath, ...nodeArgs, script, ...args];
  const joined = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', cgroup ?? ""];
  const [command, ...rest] = cgroup === undefined ? node : [...joined, ...node];
  const child = spawn(command!, rest, {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      PATH: process.env["PATH"],
      NODE_ENV: "production",
      PORT: String(http),
      GRPC_PORT: String(grpc),
      HTTP_ADDR: `127.0.0.1:${http}`,
      GRPC_ADDR: `127.0.0.1:${grpc}`,
      ADMIN_ADDR: `127.0.0.1:${admin}`,
      ...env,
    },
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const { pid } = child;
  const program: Program = {
    http: `http://127.0.0.1:${http}`,
    grpc: `http://127.0.0.1:${grpc}`,
    admin: `http://127.0.0.1:${admin}`,
    cpuMs() {
      // Fields 14 and 15, counted after the name, which may hold spaces (proc(5)).
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    },
    rssMiB: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024,
    pid: pid!,
    readyMs: 0,
    stop: (signal) => end(child, signal),
  };
  const isService = script === "src/main.ts";
  while (
    !(await (isService ? isReady(program.admin) : isOpen(http).then(async (open) => open || isOpen(grpc))))
  ) {
    if (child.exitCode !== null) throw new Error(`${script} ended with ${child.exitCode}`);
    await systemClock.sleep(isService ? 2 : 20);
  }
  return { ...program, readyMs: performance.now() - startedAt };
}

/** The service as `npm start` starts it, in front of the stand-in. */
export function startService(
  upstream: Program,
  env: Record<string, string> = {},
  options: ProcessOptions = {},
): Promise<Program> {
  const settings = {
    FACEID_APP_ID: "TIDA0001",
    FACEID_SECRET: "s".repeat(64),
    FACEID_BASE_URL: upstream.http,
    STORE_URL: "memory:",
  };
  return startProgram(
    "src/main.ts",
    { ...settings, ...COMPILE_CACHE, ...env },
    { nodeArgs: v8OptionsOf(options.root ?? ROOT), ...options },
  );
}

/** What a version's `npm start` sets of V8. */
function v8OptionsOf(root: string): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return (scripts.start as string).match(/--max-[\w-]+=\S+/g) ?? [];
}

/** The one token that a program with a bearer check takes. */
export const TOKEN = "bench-0123456789abcdef";
/** What has the service, and the usual stack, ask for it. */
export const WITH_TOKEN = { HTTP_AUTH_TOKENS: `bench:${TOKEN}`, GRPC_AUTH_TOKENS: `bench:${TOKEN}`, TOKEN };

/** An order of the service's own, which it lets its caller read. */
export async function orderOf(service: Program, token?: string): Promise<string> {
  const body = new URLSearchParams({ name: "张三", id_no: "11010519491231002X" });
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${service.http}/get_face_params`, { method: "POST", body, headers });
  return ((await response.json()) as { result: { order_no: string } }).result.order_no;
}

/** `npm run sandbox`: vendor and service in one process. */
export async function startSandbox(): Promise<Program> {
  const args = ["sandbox", "--port", String(await freePort())];
  return startProgram("src/main.ts", COMPILE_CACHE, { args });
}

export interface Seen {
  calls: number;
  connections: number;
  /** Most calls under way at once. */
  most: number;
}

/** Calls and connections that the stand-in has seen; with `delayMs`, what each answer takes from now on. */
export async function upstreamSeen(upstream: Program, delayMs?: number): Promise<Seen> {
  const query = delayMs === undefined ? "" : `?delayMs=${delayMs}`;
  return (await (await fetch(`${upstream.http}/bench${query}`)).json()) as Seen;
}

/** Ends what is left. */
export async function endPrograms(): Promise<void> {
  await Promise.all([...running].map((child) => end(child)));
}

async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}

const isReady = (admin: string) =>
  fetch(`${admin}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
