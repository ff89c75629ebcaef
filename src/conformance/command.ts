import { spawn } from "node:child_process";
import type { Clock } from "../lib/clock.ts";
import type { Environment } from "../lib/environment.ts";

/** A backend started by a shell command. */
export interface Command {
  /** Set once it has exited by itself: exit code and last output. */
  readonly ended: string | undefined;
  /** Ends its process group: SIGTERM first, SIGKILL after a grace period. */
  stop(): Promise<void>;
}

/** How much of its output is kept, characters, and how long it may take to exit, milliseconds. */
const KEPT_CHARS = 2_000;
const GRACE_MS = 15_000;

export function startCommand(command: string, environment: Environment, clock: Clock): Command {
  // A separate process group, so that the shell's children end with it.
  const child = spawn("sh", ["-c", command], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let output = "";
  let ended: string | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-KEPT_CHARS);
    });
  }
  const exited = new Promise<void>((resolve) => {
    child.once("close", (code, signal) => {
      ended = `it ended with ${code ?? signal}\n${output.trim()}`;
      resolve();
    });
  });
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-(child.pid ?? 0), name);
    } catch {
      // The process group is empty.
    }
  };
  return {
    get ended() {
      return ended;
    },
    async stop() {
      if (ended !== undefined || child.pid === undefined) return;
      signal("SIGTERM");
      await Promise.race([exited, clock.sleep(GRACE_MS)]);
      if (ended === undefined) signal("SIGKILL");
    },
  };
}
