import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { COMPILE_CACHE } from "../support/compile-cache.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** The whole service as a process of its own, as it is shipped. */
export interface ServiceProcess {
  /** Base URLs; empty when the process does not serve. */
  http: string;
  grpc: string;
  admin: string;
  /** Every log line so far. */
  logs: Record<string, unknown>[];
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end; returns the exit code, null if it was killed. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  ready(): Promise<boolean>;
  /** One unary call of the admin listener. */
  operate(method: "TicketStatus" | "ForceRefresh", message?: object): Promise<Record<string, unknown>>;
}

const running = new Set<ChildProcess>();

/** Starts the service in front of the sandbox and waits until it listens. */
export async function startProcess(sandbox: Sandbox, env: Record<string, string>): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [MAIN], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env["PATH"],
      ...COMPILE_CACHE,
      FACEID_APP_ID: sandbox.appId,
      FACEID_SECRET: sandbox.secret,
      FACEID_BASE_URL: sandbox.url,
      HTTP_ADDR: "127.0.0.1:0",
      GRPC_ADDR: "127.0.0.1:0",
      ADMIN_ADDR: "127.0.0.1:0",
      ...env,
    },
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const logs: Record<string, unknown>[] = [];
  const started = Promise.withResolvers<Record<string, unknown>>();
  child.once("exit", (code) => started.reject(new Error(`the service ended with ${code}`)));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    logs.push(entry);
    if (entry["event"] === "service_started") started.resolve(entry);
  });
  const { http, grpc, admin } = await started.promise;
  const url = (address: unknown) => (typeof address === "string" ? `http://${address}` : "");

  return {
    http: url(http),
    grpc: url(grpc),
    admin: url(admin),
    logs,
    signal: (signal) => child.kill(signal),
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const gone = once(child, "exit");
      child.kill(signal);
      const [code] = (await gone) as [number | null];
      return code;
    },
    ready: () =>
      fetch(`${url(admin)}/readyz`, { signal: AbortSignal.timeout(5_000) }).then(
        ({ status }) => status === 200,
        () => false,
      ),
    async operate(method, message = {}) {
      const response = await fetch(`${url(admin)}/faceverification.v1.TicketAdminService/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(message),
      });
      return (await response.json()) as Record<string, unknown>;
    },
  };
}

/** Kills what is left. For `afterAll`. */
export async function endProcesses(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    }),
  );
}
