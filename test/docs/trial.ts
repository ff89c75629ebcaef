import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { readConfig } from "../../src/config/config.ts";
import { CHILD_ENV } from "../support/child.ts";
import { ROOT } from "./markdown.ts";

/** A running `npm run sandbox` on ports of its own. */
export interface Trial {
  /** The addresses by their defaults, as the READMEs write them. */
  addresses: ReadonlyMap<string, string>;
  stop(): Promise<void>;
}

export async function startTrial(): Promise<Trial> {
  const child = spawn(process.execPath, ["src/main.ts", "sandbox", "--json"], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...CHILD_ENV, SANDBOX_PORT: "0" },
  });
  const exited = new Promise<never>((_resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the sandbox ended with ${code}`)));
  });
  exited.catch(() => undefined);

  const line = async (stream: NodeJS.ReadableStream, wanted: RegExp): Promise<string> => {
    for await (const text of createInterface({ input: stream })) {
      const match = wanted.exec(text);
      if (match) return match[1] ?? match[0];
    }
    throw new Error(`the sandbox never wrote ${wanted.source}`);
  };
  const [started, sandbox] = await Promise.race([
    exited,
    Promise.all([
      line(child.stdout, /.*"service_started".*/),
      line(child.stderr, /http:\/\/([\d.:]+)\/sdk\/verify/),
    ]),
  ]);
  child.stdout.resume();
  child.stderr.resume();
  const opened = JSON.parse(started) as { http: string; grpc: string; admin: string };
  const { http, grpc, admin } = readConfig({ FACEID_APP_ID: "IDAXXXXX", FACEID_SECRET: "secret" }, () => "");
  const usual = ({ host, port }: { host: string; port: number }) => `${host}:${port}`;
  return {
    addresses: new Map([
      [usual(http), opened.http],
      [usual(grpc), opened.grpc],
      [usual(admin), opened.admin],
      ["127.0.0.1:8090", sandbox],
    ]),
    async stop() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    },
  };
}
