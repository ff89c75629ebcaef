import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { Child } from "../support/child.ts";

/** What something cost the process it was done to. */
export interface Cost {
  /** Time on a processor, milliseconds. */
  cpuMs: number;
  /** Growth of its resident memory at the highest, MiB. */
  rssMib: number;
  /** The longest that a health check took meanwhile, milliseconds. */
  healthMs: number;
}

/** Clock ticks of `/proc`, in milliseconds: 100 in a second on every Linux. */
const TICK_MS = 10;

/** Processor time of a process so far, milliseconds. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Resident memory of a process, MiB: now, or the highest since `resetPeak`. */
export function rssOf(pid: number, which: "VmRSS" | "VmHWM" = "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${which}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
}

/** Lets the highest resident memory begin anew (proc(5), clear_refs). */
const resetPeak = (pid: number) => writeFileSync(`/proc/${pid}/clear_refs`, "5");

/** Asks `/livez` again and again, in a thread of its own that no attacker keeps busy; says how long the slowest took. */
const PROBER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { Agent, get } = require("node:http");
  const agent = new Agent({ keepAlive: true });
  let slowest = 0, began, done = false;
  const over = () => { slowest = Math.max(slowest, performance.now() - began); };
  function probe() {
    if (done) return;
    began = performance.now();
    get(workerData, { agent }, (response) => response.resume().once("end", () => {
      over();
      parentPort.postMessage("answered");
      setTimeout(probe, 20);
    })).once("error", () => setTimeout(probe, 20));
  }
  parentPort.on("message", () => { done = true; agent.destroy(); parentPort.postMessage(slowest); parentPort.close(); });
  probe();
`;

/** Does something to a process and says what it cost, with a health check on its way all the time. */
export async function costOf(child: Child, act: () => Promise<unknown>): Promise<Cost> {
  const prober = new Worker(PROBER, { eval: true, workerData: `${child.admin}/livez` });
  await once(prober, "message");
  resetPeak(child.pid);
  const [cpu, rss] = [cpuOf(child.pid), rssOf(child.pid)];
  await act();
  const cost = { cpuMs: cpuOf(child.pid) - cpu, rssMib: rssOf(child.pid, "VmHWM") - rss };
  const slowest = new Promise<number>((resolve) => {
    prober.on("message", (message) => typeof message === "number" && resolve(message));
  });
  prober.postMessage("end");
  return { ...cost, healthMs: await slowest };
}
