import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { freePort } from "./free-port.ts";

/** A Redis server of the test's own, on a free port of the loopback, keeping nothing on disk. */
export interface RedisServer {
  port: number;
  url: string;
  /** redis-cli; rejects if the server answers an error. */
  cli(...args: string[]): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and the end of the process. */
  kill(): Promise<void>;
  /** The same port again, with nothing in it. */
  restart(): Promise<void>;
}

const servers = new Set<ChildProcess>();
const directories: string[] = [];

/**
 * Why the tests that need `binaries` cannot run here, said once on the console; undefined if they can. With
 * REQUIRE_ALL=1 a skip is a failure.
 */
export function missingRedis(...binaries: ("redis-server" | "redis-sentinel")[]): string | undefined {
  for (const binary of binaries) {
    try {
      execFileSync(binary, ["--version"], { stdio: "ignore" });
    } catch {
      const reason = `no ${binary}: RUNLEVEL=1 apt-get install -y ${binary}`;
      if (process.env["REQUIRE_ALL"] === "1") throw new Error(`REQUIRE_ALL=1, but ${reason}`);
      console.log(`skipped: ${reason}`);
      return reason;
    }
  }
  return undefined;
}

/** Starts a server and waits until it takes connections. `args` as on its command line. */
export async function startRedis(...args: string[]): Promise<RedisServer> {
  const port = await freePort();
  const directory = temporary();
  const fixed = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--dir",
    directory,
    "--dbfilename",
    "dump.rdb",
  ];
  const start = () =>
    launch(
      "redis-server",
      [...fixed, "--save", "", "--appendonly", "no", ...args],
      "Ready to accept connections",
    );
  let child = await start();
  const server: RedisServer = {
    port,
    url: `redis://127.0.0.1:${port}`,
    cli: (...command) => redisCli(port, command),
    signal: (signal) => child.kill(signal),
    kill: () => end(child),
    async restart() {
      await server.kill();
      child = await start();
    },
  };
  return server;
}

/** Starts a Sentinel that watches the master at `masterPort` and calls it down after a second. */
export async function startSentinel(masterPort: number, name: string, quorum: number): Promise<RedisServer> {
  const port = await freePort();
  const directory = temporary();
  const file = join(directory, "sentinel.conf");
  writeFileSync(
    file,
    [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${directory}`,
      `sentinel monitor ${name} 127.0.0.1 ${masterPort} ${quorum}`,
      `sentinel down-after-milliseconds ${name} 1000`,
      `sentinel failover-timeout ${name} 5000`,
      "",
    ].join("\n"),
  );
  const child = await launch("redis-sentinel", [file], "+monitor master");
  return {
    port,
    url: `redis+sentinel://127.0.0.1:${port}/${name}`,
    cli: (...command) => redisCli(port, command),
    signal: (signal) => child.kill(signal),
    kill: () => end(child),
    restart: () => Promise.reject(new Error("not for sentinels")),
  };
}

/** Ends every server that was started here. For `afterAll`. */
export async function stopRedis(): Promise<void> {
  await Promise.all([...servers].map(end));
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
}

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), "redis-"));
  directories.push(directory);
  return directory;
}

async function launch(binary: string, args: string[], readyLine: string): Promise<ChildProcess> {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"] });
  servers.add(child);
  const said: string[] = [];
  const lines = createInterface({ input: child.stdout! });
  for await (const line of lines) {
    said.push(line);
    if (line.includes(readyLine)) {
      child.stdout!.resume();
      return child;
    }
  }
  throw new Error(`${binary} ended before it was ready:\n${said.join("\n")}`);
}

async function end(child: ChildProcess): Promise<void> {
  servers.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

async function redisCli(port: number, command: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("redis-cli", ["-e", "-p", String(port), ...command]);
  return stdout.trim();
}
