import { readFileSync, readlinkSync } from "node:fs";

/** Tells which processes of this machine are dead. */
export interface Processes {
  /** What others on this machine know this process by; undefined where the system does not say enough. */
  readonly own: string | undefined;
  /**
   * Whether the process of that name is dead, which is certain, or alive; undefined for one that cannot be seen from
   * here: of another machine, another start of it, or another container.
   */
  isDead(name: string): boolean | undefined;
}

/** Sees nothing and is not seen: what happens where the system does not say enough. */
export const UNSEEN: Processes = { own: undefined, isDead: () => undefined };

/** What is asked of the system; replaced by tests only. Both throw as the system does. */
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
 * Processes by number and start time, as Linux shows them in /proc. Only those of the same start of the same kernel and
 * the same PID namespace can be judged: elsewhere a number means another process. Without /proc nobody can.
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
      // Not by /proc alone, which may hide the processes of others.
      if (!exists(table, Number(number))) return true;
      const now = startOf(table, Number(number));
      return now === undefined ? undefined : now !== start;
    },
  };
}

/** Kernel, PID namespace and time namespace, the latter since start times are told relative to it. */
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
    // EPERM: it is there, and not ours.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Clock ticks from the start of the machine to that of the process (proc_pid_stat(5), field 22); undefined if hidden. */
function startOf({ read }: ProcessTable, pid: number): string | undefined {
  try {
    const stat = read(`/proc/${pid}/stat`);
    // The name in parentheses may hold anything, parentheses and spaces among it.
    const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Ended, and not yet collected by its parent.
    return "ZX".includes(state) ? "dead" : fields[18];
  } catch {
    return undefined;
  }
}
