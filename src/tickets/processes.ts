import { readFileSync, readlinkSync } from "node:fs";

/** Detects dead processes of this machine. */
export interface Processes {
  /** This process's name for others on this machine; undefined if the system exposes too little to form one. */
  readonly own: string | undefined;
  /**
   * True if the process with that name is certainly dead, false if it is alive; undefined if it cannot be seen from here:
   * on another machine, from another boot, or in another container.
   */
  isDead(name: string): boolean | undefined;
}

/** Sees no process and is seen by none: the fallback where the system exposes too little. */
export const UNSEEN: Processes = { own: undefined, isDead: () => undefined };

/** System calls; replaced only by tests. All throw the system's own errors. */
export interface ProcessTable {
  read: (path: string) => string;
  readLink: (path: string) => string;
  signal: (pid: number) => void;
}

const thisSystem: ProcessTable = {
  read: (path) => readFileSync(path, "latin1"),
  readLink: (path) => readlinkSync(path, "latin1"),
  signal: (pid) => void process.kill(pid, 0),
};

/**
 * Identifies processes by pid and start time from Linux' /proc. Only those of the same boot and the same PID namespace can
 * be judged: elsewhere a pid means another process. Without /proc, none can.
 */
export function createProcesses(table = thisSystem, pid = process.pid): Processes {
  const place = placeOf(table);
  const started = place && startOf(table, pid);
  const own = started && started !== "dead" ? `${place}|${pid}|${started}` : undefined;

  return {
    own,
    isDead(name) {
      const [, where, number = "", start] = /^(.+)\|(\d+)\|(\d+)$/.exec(name) ?? [];
      if (own === undefined || where !== place) return undefined;
      // Not by /proc alone, which may hide other users' processes.
      if (!exists(table, Number(number))) return true;
      const now = startOf(table, Number(number));
      return now === undefined ? undefined : now !== start;
    },
  };
}

/** Boot, PID namespace and time namespace; the latter because start times are relative to it. */
function placeOf({ read, readLink }: ProcessTable): string | undefined {
  try {
    const boot = read("/proc/sys/kernel/random/boot_id").trim();
    const [pids, times] = ["pid", "time"].map((kind) => readLink(`/proc/self/ns/${kind}`));
    return boot && `${boot}|${pids}|${times}`;
  } catch {
    return undefined;
  }
}

function exists({ signal }: ProcessTable, pid: number): boolean {
  try {
    signal(pid);
    return true;
  } catch (error) {
    // EPERM: it exists, but belongs to another user.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Clock ticks from boot to the start of the process (proc_pid_stat(5), field 22); undefined if hidden. */
function startOf({ read }: ProcessTable, pid: number): string | undefined {
  try {
    const stat = read(`/proc/${pid}/stat`);
    // The command name in parentheses may contain anything, even parentheses and spaces.
    const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie: ended, not yet reaped by its parent.
    return "ZX".includes(state) ? "dead" : fields[18];
  } catch {
    return undefined;
  }
}
