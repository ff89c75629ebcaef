import { type FSWatcher, watch as watchDirectory } from "node:fs";
import type { TicketTimings } from "../../config/ticket-timings.ts";
import type { Clock } from "../../lib/clock.ts";
import { withDeadline } from "../../lib/deadline.ts";
import { createChangeHints } from "./change-hints.ts";
import { type Kernel, type Moment, momentAfter, thisKernel } from "./file-clock.ts";
import { errorCode, type FileSystemType, prepareDirectory } from "./file-directory.ts";
import { confirmWin, createSlots, type Slot } from "./file-slots.ts";
import type { TicketStore } from "./store.ts";

export interface FileStoreOptions {
  /** Of this register alone; made if missing. */
  directory: string;
  clock: Clock;
  timings: Pick<TicketTimings, "storeTimeoutMs" | "refreshIntervalMs">;
  /** The rest is replaced by tests only. */
  kernel?: Kernel;
  fileSystemType?: FileSystemType;
  prove?: typeof confirmWin;
  /** Awaited between writing a state and giving it its number: where a frozen process does the most harm. */
  beforeClaim?: () => Promise<void>;
}

const EMPTY = "empty";
const versionOf = (slot: Slot | undefined) => (slot ? `${slot.number}-${slot.id}` : EMPTY);

/** As long as a state may be, so that it finds the same room on the disk. */
const PROBE = " ".repeat(4_096);

/**
 * A register of immutable numbered files, for processes that share a kernel (ticket-cache.md 2.12). A write is
 * link(2) to the next number, which exactly one of all who try can do. There is no lock, so a process frozen or killed
 * anywhere holds nobody up.
 */
export function createFileStore({
  directory,
  clock,
  timings,
  kernel = thisKernel,
  fileSystemType,
  prove = confirmWin,
  beforeClaim,
}: FileStoreOptions): TicketStore {
  const slots = createSlots(directory);
  const hints = createChangeHints(listen, deafen);
  const closing = new AbortController();
  let watcher: FSWatcher | undefined;
  let told: { version: string; now: number } | undefined;

  /** Until the first write after a restart the wall clock counts, and that may step back; what was told stays told. */
  function moment(slot: Slot | undefined): Moment {
    const version = versionOf(slot);
    const measured = momentAfter(slot, { clock, kernel, unknownAgeMs: timings.refreshIntervalMs });
    const now = told?.version === version ? Math.max(told.now, measured.now) : measured.now;
    told = { version, now };
    return { ...measured, now };
  }

  const limited = <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    if (closing.signal.aborted) return Promise.reject(new Error("the ticket store is closed"));
    return withDeadline(clock, timings.storeTimeoutMs, work, closing.signal);
  };

  async function stage(slot: Omit<Slot, "number">): Promise<string> {
    try {
      return await slots.stage(slot);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
      // The directory is gone, or the disk was full when it should have been made.
      await prepareDirectory(directory, fileSystemType);
      if (watcher) listen();
      return slots.stage(slot);
    }
  }

  /** True or false as in the contract; undefined to look again. */
  async function attempt(version: string, value: string, signal: AbortSignal): Promise<boolean | undefined> {
    const { slot, top } = await slots.newest();
    if (versionOf(slot) !== version) return false;
    const id = crypto.randomUUID();
    const number = top + 1;
    const staged = await stage({ id, prev: slot?.id ?? "", ...moment(slot), value });
    try {
      await beforeClaim?.();
      // A caller who was told that the time is over must not find the write done a minute later.
      signal.throwIfAborted();
      await slots.claim(staged, number);
    } catch (error) {
      // EEXIST: somebody was first. ENOENT: the staged file was removed, by a wipe or as a dead writer's.
      if (errorCode(error) === "EEXIST" || errorCode(error) === "ENOENT") return undefined;
      throw error;
    } finally {
      await slots.drop(staged);
    }
    await slots.sync();
    const won = await prove(slots, number, id);
    if (won && number % 4 === 0) await slots.prune(number).catch(() => undefined);
    return won;
  }

  function listen(): void {
    deafen();
    try {
      // Not one file: the directory. A hint only; where the kernel has no watches left, the poll is enough.
      watcher = watchDirectory(directory, { persistent: false }, (_event, name) => {
        if (name?.startsWith("s-")) hints.fire();
      });
      watcher.on("error", deafen);
    } catch {
      watcher = undefined;
    }
  }

  function deafen(): void {
    watcher?.close();
    watcher = undefined;
  }

  return {
    read: () =>
      limited(async () => {
        const { slot } = await slots.newest();
        return { value: slot?.value, version: versionOf(slot), now: moment(slot).now };
      }),
    compareAndSet: (version, value) =>
      limited(async (signal) => {
        for (;;) {
          const done = await attempt(version, value, signal);
          if (done !== undefined) return done;
        }
      }),
    probe: () =>
      limited(async () => {
        const { slot } = await slots.newest();
        const id = crypto.randomUUID();
        await slots.drop(await stage({ id, prev: "", ...moment(slot), value: PROBE }));
      }),
    watch: (listener) => hints.watch(listener),
    open: () => prepareDirectory(directory, fileSystemType),
    async close() {
      closing.abort(new Error("the ticket store is closed"));
      hints.close();
      deafen();
    },
  };
}
