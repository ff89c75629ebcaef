import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { createProcesses, type ProcessTable } from "../../src/tickets/processes.ts";
import { eventually } from "../support/harness.ts";

const failure = (code: string) => Object.assign(new Error(code), { code });
const STAT = "42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1234 20 21";

/** A system with one process, number 42. */
function system(
  more: Partial<ProcessTable> & { files?: Record<string, string | undefined> } = {},
): ProcessTable {
  const files: Record<string, string | undefined> = {
    "/proc/sys/kernel/random/boot_id": "boot\n",
    "/proc/42/stat": STAT,
    ...more.files,
  };
  return {
    read(path) {
      const text = files[path];
      if (text === undefined) throw failure("ENOENT");
      return text;
    },
    readLink: (path) => `${path.split("/").at(-1)}:[7]`,
    signal(pid) {
      if (files[`/proc/${pid}/stat`] === undefined) throw failure("ESRCH");
    },
    ...more,
  };
}

describe("the judgement whether a process is dead", () => {
  const { own } = createProcesses(system(), 42);
  const seenFrom = (table: ProcessTable, name = own ?? "") => createProcesses(table, 1).isDead(name);
  const judge = { "/proc/1/stat": "1 (node) S 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 5 0" };

  test("a process is identified by boot, namespaces, pid and start time", () => {
    expect(own).toBe("boot|pid:[7]|time:[7]|42|1234");
  });

  test.each<[string, Record<string, string | undefined>, boolean]>([
    ["the same process", {}, false],
    ["no such process", { "/proc/42/stat": undefined }, true],
    ["another process by the same number", { "/proc/42/stat": STAT.replace("1234", "9999") }, true],
    ["ended, and not yet reaped", { "/proc/42/stat": STAT.replace(") S", ") Z") }, true],
    ["a start time that only begins alike", { "/proc/42/stat": STAT.replace("1234", "12345") }, true],
  ])("a name is judged dead or alive: %s", (_what, files, dead) => {
    expect(seenFrom(system({ files: { ...judge, ...files } }))).toBe(dead);
  });

  test("a process that exists but is hidden in /proc cannot be judged", () => {
    const hidden = { ...judge, "/proc/42/stat": undefined };
    expect(seenFrom(system({ files: hidden, signal: () => undefined }))).toBeUndefined();
    const signal = () => {
      throw failure("EPERM");
    };
    expect(seenFrom(system({ files: hidden, signal }))).toBeUndefined();
  });

  test.each<[string, Partial<ProcessTable> & { files?: Record<string, string | undefined> }]>([
    ["of another kernel", { files: { "/proc/sys/kernel/random/boot_id": "other" } }],
    ["of another container", { readLink: (path) => `${path.split("/").at(-1)}:[8]` }],
    [
      "on a system without /proc",
      {
        read: () => {
          throw failure("ENOENT");
        },
      },
    ],
  ])("a process %s cannot be judged, though its pid is free here", (_what, more) => {
    const files = { ...judge, "/proc/42/stat": undefined, ...more.files };
    expect(seenFrom(system({ ...more, files }))).toBeUndefined();
  });

  test.each(["", "nonsense", "boot|pid:[7]|time:[7]|42", "boot|pid:[7]|time:[7]|-1|1234", "p1"])(
    "a name of an unknown form, %j, cannot be judged",
    (name) => {
      expect(seenFrom(system({ files: judge }), name)).toBeUndefined();
    },
  );

  test("without /proc a process has no name, but still starts", () => {
    const read = () => {
      throw failure("ENOENT");
    };
    expect(createProcesses(system({ read }), 42).own).toBeUndefined();
  });
});

test.skipIf(process.platform !== "linux")(
  "real processes are judged correctly when alive, stopped, killed and reaped",
  async () => {
    const here = createProcesses();
    expect(here.own).toBeDefined();
    expect(here.isDead(here.own ?? "")).toBe(false);
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    const pid = child.pid ?? 0;
    const name = createProcesses(undefined, pid).own ?? "";
    expect(here.isDead(name)).toBe(false);
    child.kill("SIGSTOP");
    await eventually(async () => here.isDead(name) === false);
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    expect(here.isDead(name)).toBe(true);
  },
);
