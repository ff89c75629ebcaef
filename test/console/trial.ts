import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CHILD_ENV } from "../support/child.ts";

/** A running `npm run sandbox`, or only the upstream, on free ports. */
export interface RunningTrial {
  /** Base URL of the sandbox. */
  url: string;
  /** `host:port` of the service's public listener; empty with --upstream-only. */
  http: string;
  /** Sends a signal, by default SIGTERM; resolves to the exit code. */
  end: (signal?: NodeJS.Signals) => Promise<number | null>;
}

/** Starts `npm run sandbox -- ...args` the way npm does, and waits until it is ready. */
export async function startTrial(...args: string[]): Promise<RunningTrial> {
  const child = spawn(process.execPath, ["src/main.ts", "sandbox", "--port", "0", "--json", ...args], {
    cwd: join(import.meta.dirname, "../.."),
    stdio: ["ignore", "pipe", "pipe"],
    env: CHILD_ENV,
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const seen: string[] = [];
  const found = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        seen.push(line);
        const ready = args.includes("--upstream-only") ? /Console +(\S+)\/$/ : /Open (\S+)\/ in a browser/;
        const match = ready.exec(line);
        if (match?.[1]) resolve(match[1]);
      });
    }
    void ended.then((code) => reject(new Error(`the sandbox ended with ${code}: ${seen.join("\n")}`)));
  });
  const url = await found;
  const started = seen.find((line) => line.includes('"service_started"'));
  const { http = "" } = started ? (JSON.parse(started) as { http?: string }) : {};
  return {
    url,
    http,
    end(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
  };
}
