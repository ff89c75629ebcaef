import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { systemClock } from "../../src/lib/clock.ts";
import { freePort } from "./free-port.ts";

/** A PostgreSQL server of the test's own, on a free port of the loopback; the user `postgres` needs no password. */
export interface PostgresServer {
  port: number;
  /** Where its Unix socket is. */
  directory: string;
  /** A new and empty database. */
  createDatabase(): Promise<string>;
  /** Statements by psql, as the superuser; rejects if one fails. Lines of columns separated by `|`. */
  sql(url: string, statements: string): Promise<string>;
  /** A program of the package, such as pg_dump, with its output. */
  run(program: string, ...args: string[]): Promise<string>;
  /** To the server and all its connections. */
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and the end of the server. */
  kill(): Promise<void>;
  /** The same port and data again. */
  restart(): Promise<void>;
}

/** Debian's place; the newest version is used. */
const HOME = "/usr/lib/postgresql";
/** What a server that may be lost need not wait for. */
const FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"];

/** The user `app`, if a test makes one, needs its password. */
const PASSWORD_USER = "host all app all scram-sha-256\n";

const servers = new Set<ChildProcess>();
const directories: string[] = [];

/** Why the tests with a server cannot run here, said once; undefined if they can. With REQUIRE_ALL=1 a skip is a failure. */
export function missingPostgres(): string | undefined {
  if (programs() !== undefined) return undefined;
  const reason = "no postgresql: RUNLEVEL=1 apt-get install -y postgresql";
  if (process.env["REQUIRE_ALL"] === "1") throw new Error(`REQUIRE_ALL=1, but ${reason}`);
  console.log(`skipped: ${reason}`);
  return reason;
}

function programs(): string | undefined {
  try {
    const [newest] = readdirSync(HOME).sort((a, b) => Number(b) - Number(a));
    return newest && join(HOME, newest, "bin");
  } catch {
    return undefined;
  }
}

export interface PostgresOptions {
  /** Slower, and what is committed survives even a power cut. */
  durable?: boolean;
  /** The server that this one is a standby of, until it is promoted. */
  primary?: PostgresServer;
  /** Certificate and key in PEM: the server takes TLS as well as cleartext. */
  tls?: { cert: string; key: string };
}

/** Starts a server and waits until it takes connections. */
export async function startPostgres({
  durable = false,
  primary,
  tls,
}: PostgresOptions = {}): Promise<PostgresServer> {
  const bin = programs() ?? "";
  const directory = mkdtempSync(join(tmpdir(), "postgres-"));
  directories.push(directory);
  // It refuses to run as root.
  const owner = process.geteuid?.() === 0 ? nobody() : undefined;
  if (owner) chownSync(directory, owner.uid, owner.gid);
  const data = join(directory, "data");
  const options = {
    ...owner,
    cwd: directory,
    env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8", TZ: "UTC" },
  };
  const hba = join(data, "pg_hba.conf");
  const init = primary
    ? ["pg_basebackup", "-D", data, "-d", `postgres://postgres@127.0.0.1:${primary.port}`, "-R", "-c", "fast"]
    : ["initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"];
  execFileSync(join(bin, init[0] ?? ""), init.slice(1), { ...options, stdio: "ignore" });
  if (!primary) writeFileSync(hba, PASSWORD_USER + readFileSync(hba, "utf8"));
  const port = await freePort();
  if (tls) {
    for (const [name, text] of [
      ["server.crt", tls.cert],
      ["server.key", tls.key],
    ] as const) {
      writeFileSync(join(data, name), text, { mode: 0o600 });
      if (owner) chownSync(join(data, name), owner.uid, owner.gid);
    }
  }
  const secure = tls ? ["-c", "ssl=on"] : [];
  const args = ["-D", data, "-p", String(port), "-k", directory, ...(durable ? [] : FAST), ...secure];
  const start = async () => {
    const child = spawn(join(bin, "postgres"), args, {
      ...options,
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    servers.add(child);
    const said: string[] = [];
    for await (const line of createInterface({ input: child.stderr! })) {
      said.push(line);
      if (!line.includes("ready to accept")) continue;
      child.stderr!.resume();
      return child;
    }
    throw new Error(`postgres ended before it was ready:\n${said.join("\n")}`);
  };
  let child = await start();
  let databases = 0;

  const run = async (program: string, ...more: string[]) =>
    (await promisify(execFile)(join(bin, program), more, { ...options, maxBuffer: 2 ** 26 })).stdout.trim();
  const urlOf = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const server: PostgresServer = {
    port,
    directory,
    async createDatabase() {
      const name = `test${++databases}`;
      await server.sql(urlOf("postgres"), `CREATE DATABASE ${name}`);
      return urlOf(name);
    },
    sql: (url, statements) =>
      run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statements),
    run,
    signal(signal) {
      for (const pid of processes(child)) send(pid, signal);
    },
    kill: () => end(child),
    async restart() {
      await end(child);
      // Its other processes may outlive it for a moment, and hold what the next one needs.
      for (let tries = 1; ; tries++) {
        try {
          child = await start();
          return;
        } catch (error) {
          if (tries === 20 || !String(error).includes("is still in use")) throw error;
          await systemClock.sleep(250);
        }
      }
    },
  };
  return server;
}

/** Ends every server that was started here. For `afterAll`. */
export async function stopPostgres(): Promise<void> {
  await Promise.all([...servers].map(end));
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
}

function nobody(): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** The server's processes, one for each connection among them. The first starts others in place of those that end. */
function processes({ pid = 0 }: ChildProcess): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return [pid, ...children.trim().split(" ").filter(Boolean).map(Number)];
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}

/** With all its processes, which would outlive it for a moment and hold the data. */
async function end(child: ChildProcess): Promise<void> {
  servers.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  for (const pid of processes(child)) send(pid, "SIGKILL");
  await gone;
}
