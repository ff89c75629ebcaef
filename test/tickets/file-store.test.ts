import { execFileSync } from "node:child_process";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { confirmWin } from "../../src/tickets/stores/file-slots.ts";
import { createFileStore, type FileStoreOptions } from "../../src/tickets/stores/file-store.ts";
import type { TicketStore } from "../../src/tickets/stores/store.ts";
import { describeStore } from "./store.contract.ts";

const timings = { storeTimeoutMs: 10_000, refreshIntervalMs: 1_200_000 };
const temporary = () => mkdtemp(join(tmpdir(), "tickets-"));
const removed = (path: string) => rm(path, { recursive: true, force: true, maxRetries: 3 });

describeStore("file", async () => {
  const root = await temporary();
  const directory = join(root, "register");
  return {
    async open() {
      const store = createFileStore({ directory, clock: systemClock, timings });
      await store.open();
      return store;
    },
    wipe: () => removed(directory),
    end: () => removed(root),
  };
});

describe("a directory of state files", () => {
  let root: string;
  let directory: string;
  const opened: TicketStore[] = [];

  beforeEach(async () => {
    root = await temporary();
    directory = join(root, "register");
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
    await removed(root);
  });

  function make(options: Partial<FileStoreOptions> = {}): TicketStore {
    const store = createFileStore({ directory, clock: systemClock, timings, ...options });
    opened.push(store);
    return store;
  }
  async function openStore(options: Partial<FileStoreOptions> = {}): Promise<TicketStore> {
    const store = make(options);
    await store.open();
    return store;
  }
  async function write(store: TicketStore, ...values: string[]): Promise<void> {
    for (const value of values)
      expect(await store.compareAndSet((await store.read()).version, value)).toBe(true);
  }
  const files = async () => (await readdir(directory)).sort();

  describe("writers that were frozen", () => {
    /** A gate that says when somebody waits at it. */
    function gate() {
      const [waiting, opening] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      return {
        pass: () => {
          waiting.resolve();
          return opening.promise;
        },
        reached: waiting.promise,
        open: () => opening.resolve(),
      };
    }
    const twelve = Array.from({ length: 12 }, (_, i) => `other ${i}`);

    /** A writer stops before its link, and the number it is about to take is used by others and pruned. */
    async function thawIntoPrunedSlot(options: Partial<FileStoreOptions>) {
      const { pass, reached, open } = gate();
      const others = await openStore();
      await write(others, "first");
      const frozen = await openStore({ beforeClaim: pass, ...options });
      const outcome = frozen.compareAndSet((await others.read()).version, "from the frozen one");
      await reached;
      await write(others, ...twelve);
      expect(await files()).not.toContain("s-0000000000000002");
      open();
      return { won: await outcome, value: (await others.read()).value };
    }

    test("a writer frozen until its number was used and pruned does not win it", async () => {
      expect(await thawIntoPrunedSlot({})).toEqual({ won: false, value: "other 11" });
      expect(await files()).not.toContain("s-0000000000000002");
    });

    test("a frozen writer would lose an acknowledged update if its win were not confirmed", async () => {
      // What the proof is for: `true` was answered, and the value is nowhere.
      expect(await thawIntoPrunedSlot({ prove: async () => true })).toEqual({ won: true, value: "other 11" });
    });

    test.each([
      ["at once", 0, true],
      ["after another built on it", 1, true],
      ["after several did", 5, true],
    ])("a writer frozen after its link has won, and learns it %s", async (_when, more, won) => {
      const { pass, reached, open } = gate();
      const others = await openStore();
      await write(others, "first");
      const frozen = await openStore({
        prove: async (...slot) => {
          await pass();
          return confirmWin(...slot);
        },
      });
      const outcome = frozen.compareAndSet((await others.read()).version, "won");
      await reached;
      expect((await others.read()).value).toBe("won");
      await write(others, ...twelve.slice(0, more));
      open();
      expect(await outcome).toBe(won);
    });

    test("a writer frozen after its link until its file was pruned learns that the outcome is unknown", async () => {
      const { pass, reached, open } = gate();
      const others = await openStore();
      const frozen = await openStore({
        prove: async (...slot) => {
          await pass();
          return confirmWin(...slot);
        },
      });
      const outcome = frozen.compareAndSet((await others.read()).version, "won");
      await reached;
      await write(others, ...twelve);
      open();
      await expect(outcome).rejects.toThrow("read again");
    });

    test("a writer frozen past its deadline writes nothing more", async () => {
      const { pass, reached, open } = gate();
      const others = await openStore();
      await write(others, "first");
      const slow = await openStore({ beforeClaim: pass, timings: { ...timings, storeTimeoutMs: 20 } });
      const outcome = slow.compareAndSet((await others.read()).version, "late");
      await reached;
      await expect(outcome).rejects.toThrow("no answer within 20 ms");
      open();
      await expect.poll(files).toEqual(["s-0000000000000001"]);
      expect((await others.read()).value).toBe("first");
    });

    test("a writer whose staged file was removed as a dead writer's retries", async () => {
      const others = await openStore();
      await write(others, "first");
      let times = 0;
      const slow = await openStore({
        async beforeClaim() {
          if (times++ > 0) return;
          for (const name of await files()) if (name.startsWith("t-")) await removed(join(directory, name));
        },
      });
      await write(slow, "second");
      expect((await others.read()).value).toBe("second");
      expect(times).toBe(2);
    });
  });

  test("a register keeps only its newest files, private, and cleans up after dead writers", async () => {
    const store = await openStore();
    await writeFile(join(directory, "t-of-the-dead"), "{");
    await utimes(join(directory, "t-of-the-dead"), 0, 0);
    await writeFile(join(directory, "t-of-the-living"), "{");
    await writeFile(join(directory, "note.txt"), "not ours");
    await write(store, ...Array.from({ length: 24 }, (_, i) => String(i)));
    const kept = Array.from({ length: 8 }, (_, i) => `s-${String(17 + i).padStart(16, "0")}`);
    expect(await files()).toEqual(["note.txt", ...kept, "t-of-the-living"]);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, kept[0]!))).mode & 0o777).toBe(0o600);
  });

  test.each([
    ["cut short", (text: string) => text.slice(0, text.length / 2)],
    ["empty", () => ""],
    ["zeros", (text: string) => "\0".repeat(text.length)],
    ["JSON of another kind", () => '{"id":7}'],
  ])("a newest file that is %s, as after a power failure, is skipped", async (_what, spoil) => {
    const store = await openStore();
    await write(store, "one", "two", "three");
    const before = await store.read();
    const newest = join(directory, "s-0000000000000003");
    await writeFile(newest, spoil(await readFile(newest, "utf8")));
    const view = await store.read();
    expect(view.value).toBe("two");
    expect(await store.compareAndSet(before.version, "stale")).toBe(false);
    await write(store, "four", "five");
    expect((await store.read()).value).toBe("five");
    expect(await files()).toContain("s-0000000000000005");
  });

  test("a newest file lost in a power failure leaves the previous one, under its old version", async () => {
    const store = await openStore();
    await write(store, "one", "two");
    const second = await store.read();
    await write(store, "three");
    const third = await store.read();
    await removed(join(directory, "s-0000000000000003"));
    expect(await store.read()).toMatchObject({ value: "two", version: second.version });
    expect(await store.compareAndSet(third.version, "on what is lost")).toBe(false);
    await write(store, "three again");
    expect((await store.read()).version).not.toBe(third.version);
  });

  describe("the clock", () => {
    const WALL = 1_800_000_000_000;
    function machine(wall = WALL) {
      const at = { boot: "boot 1", up: 100_000, wall };
      const options = {
        clock: { ...systemClock, now: () => at.wall },
        kernel: { bootId: () => at.boot, uptimeMs: () => at.up },
      };
      return { at, options };
    }
    const now = async (store: TicketStore) => (await store.read()).now;

    test("the file store's clock follows the kernel's uptime within a boot, whatever the wall clock does", async () => {
      const { at, options } = machine();
      const store = await openStore(options);
      await write(store, "x");
      at.up += 60_000;
      at.wall -= 7_200_000;
      expect(await now(store)).toBe(WALL + 60_000);
      await write(store, "y");
      at.up += 1_000;
      at.wall += 90_000_000;
      expect(await now(await openStore(options))).toBe(WALL + 61_000);
    });

    test("the file store's clock follows the wall clock across a reboot", async () => {
      const { at, options } = machine();
      await write(await openStore(options), "x");
      Object.assign(at, { boot: "boot 2", up: 5_000, wall: WALL + 600_000 });
      const store = await openStore(options);
      expect(await now(store)).toBe(WALL + 600_000);
      await write(store, "y");
      Object.assign(at, { up: 8_000, wall: WALL });
      expect(await now(store)).toBe(WALL + 603_000);
    });

    test("a pair is due at once if the wall clock went back across a reboot", async () => {
      const { at, options } = machine();
      await write(await openStore(options), "x");
      Object.assign(at, { boot: "boot 2", up: 5_000, wall: 0 });
      const stores = [await openStore(options), await openStore(options)];
      const due = WALL + timings.refreshIntervalMs;
      expect(await Promise.all(stores.map(now))).toEqual([due + 5_000, due + 5_000]);
      at.up += 1_000;
      expect(await Promise.all(stores.map(now))).toEqual([due + 6_000, due + 6_000]);
      await write(stores[0]!, "y");
      at.up += 1_000;
      expect(await Promise.all(stores.map(now))).toEqual([due + 7_000, due + 7_000]);
    });

    test("the file store's clock does not go back when the wall clock is set between a reboot and the first write", async () => {
      const { at, options } = machine();
      await write(await openStore(options), "x");
      Object.assign(at, { boot: "boot 2", up: 5_000, wall: WALL + 600_000 });
      const store = await openStore(options);
      expect(await now(store)).toBe(WALL + 600_000);
      at.wall = WALL + 500_000;
      expect(await now(store)).toBe(WALL + 600_000);
      at.wall = WALL + 700_000;
      expect(await now(store)).toBe(WALL + 700_000);
    });

    test("an uptime that restarted under the same boot id counts as a reboot", async () => {
      const { at, options } = machine();
      await write(await openStore(options), "x");
      Object.assign(at, { up: 10, wall: WALL + 30_000 });
      expect(await now(await openStore(options))).toBe(WALL + 30_000);
    });
  });

  describe("a directory it must not use is refused at the start", () => {
    test.each([
      [0x6969, "NFS"],
      [0x517b, "SMB"],
      [0xff534d42, "CIFS"],
      [0x01021997, "9p"],
    ])("a directory on file system %i, %s, is refused", async (type, name) => {
      const store = make({ fileSystemType: async () => type });
      await expect(store.open()).rejects.toThrow(`network file system (${name})`);
    });

    test("a file in the directory's place is refused", async () => {
      await writeFile(directory, "");
      await expect(make().open()).rejects.toThrow("not a directory");
    });

    test("a directory below a file is refused", async () => {
      await writeFile(directory, "");
      await expect(make({ directory: join(directory, "deeper") }).open()).rejects.toThrow("ENOTDIR");
    });

    test("a symbolic link in the directory's place is refused", async () => {
      await mkdir(join(root, "elsewhere"));
      await symlink(join(root, "elsewhere"), directory);
      await expect(make().open()).rejects.toThrow("not a directory");
    });

    test("a directory that the file system does not allow is refused", async () => {
      await expect(make({ directory: "/proc/tickets" }).open()).rejects.toThrow("cannot be made");
    });
  });

  test("a directory that others may read is made private", async () => {
    await mkdir(directory);
    await chmod(directory, 0o755);
    await openStore();
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
  });

  const mounted = mountable();
  if (mounted) console.log(`skipped: the disk-full tests need to mount a tmpfs (${mounted})`);

  describe.skipIf(mounted)("with its own disk", () => {
    beforeEach(() => mount("size=128k"));
    afterEach(() => {
      execFileSync("umount", [root]);
    });
    const mount = (options: string) => {
      execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", root]);
    };

    test("on a full disk writes reject and the state stays readable, until there is room again", async () => {
      const store = await openStore();
      await write(store, "kept");
      const { version } = await store.read();
      await writeFile(join(root, "ballast"), Buffer.alloc(200_000)).catch(() => undefined);
      await expect(store.compareAndSet(version, "x".repeat(5_000))).rejects.toThrow("ENOSPC");
      expect(await store.read()).toMatchObject({ value: "kept", version });
      await (await openStore()).close();
      expect((await files()).filter((name) => name.startsWith("t-"))).toEqual([]);
      await removed(join(root, "ballast"));
      await write(store, "x".repeat(5_000));
    });

    test("a store on a disk that is full at the start opens, and creates its directory later", async () => {
      await writeFile(join(root, "ballast"), Buffer.alloc(200_000)).catch(() => undefined);
      const store = await openStore();
      expect((await store.read()).value).toBeUndefined();
      await expect(store.compareAndSet("empty", "x".repeat(9_000))).rejects.toThrow("ENOSPC");
      await removed(join(root, "ballast"));
      await write(store, "x".repeat(9_000));
    });

    test("on a read-only disk writes reject, the state stays readable, and a start succeeds", async () => {
      await write(await openStore(), "kept");
      mount("remount,ro");
      const store = await openStore();
      const { value, version } = await store.read();
      expect(value).toBe("kept");
      await expect(store.compareAndSet(version, "x")).rejects.toThrow("EROFS");
      mount("remount,rw");
      await write(store, "x");
    });
  });
});

/** Why no tmpfs can be mounted here; undefined if one can. */
function mountable(): string | undefined {
  if (process.platform !== "linux") return "not Linux";
  if (process.geteuid?.() !== 0) return "not root";
  try {
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "not permitted";
  }
}
