import { type FSWatcher, watch as watchDirectory } from "node:fs";
import type { TicketTimings } from "../../config/ticket-timings.ts";
import { createChangeHints } from "../../lib/change-hints.ts";
import type { Clock } from "../../lib/clock.ts";
import { withDeadline } from "../../lib/deadline.ts";
import { errorCode, type FileSystemType } from "../../lib/private-directory.ts";
import { type Kernel, type Moment, momentAfter, thisKernel } from "./file-clock.ts";
import { prepareDirectory } from "./file-directory.ts";
import { confirmWin, createSlots, type Slot } from "./file-slots.ts";
import type { TicketStore } from "./store.ts";

export interface FileStoreOptions {
  /** This register's own directory; created if missing. */
  directory: string;
  clock: Clock;
  timings: Pick<TicketTimings, "storeTimeoutMs" | "refreshIntervalMs">;
  /** The rest is replaced only by tests. */
  kernel?: Kernel;
  fileSystemType?: FileSystemType;
  prove?: typeof confirmWin;
  /** Awaited between writing a state and claiming its number, where a frozen process does the most harm. */
  beforeClaim?: () => Promise<void>;
}

const EMPTY = "empty";
const versionOf = (slot: Slot | undefined) => (slot ? `${slot.number}-${slot.id}` : EMPTY);

/** As long as a state can be, so that a probe needs the same disk space. */
const PROBE = " ".repeat(4_096);

/**
 * A register of immutable numbered files, for processes that share a kernel (ticket-cache.md 2.12). A write is
 * link(2) to the next number, at which exactly one contender succeeds. There is no lock, so a process frozen or killed at
 * any point blocks no other.
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
  const hints = createChangeHints(startWatching, stopWatching);
  const closing = new AbortController();
  let watcher: FSWatcher | undefined;
  let reported: { version: string; now: number } | undefined;

  /** Now; never earlier than reported for the same version: until the first write after a reboot the wall clock counts. */
  function moment(slot: Slot | undefined): Moment {
    const version = versionOf(slot);
    const measured = momentAfter(slot, { clock, kernel, unknownAgeMs: timings.refreshIntervalMs });
    const now = reported?.version === version ? Math.max(reported.now, measured.now) : measured.now;
    reported = { version, now };
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
      // The directory was deleted, or the disk was full when it should have been created.
      await prepareDirectory(directory, fileSystemType);
      if (watcher) startWatching();
      return slots.stage(slot);
    }
  }

  /** As `compareAndSet`; undefined: lost a race, try again. */
  async function attempt(version: string, value: string, signal: AbortSignal): Promise<boolean | undefined> {
    const { slot, top } = await slots.newest();
    if (versionOf(slot) !== version) return false;
    const id = crypto.randomUUID();
    const number = top + 1;
    const staged = await stage({ id, prev: slot?.id ?? "", ...moment(slot), value });
    try {
      await beforeClaim?.();
      // A write reported as timed out must not happen a minute later.
      signal.throwIfAborted();
      await slots.claim(staged, number);
    } catch (error) {
      // EEXIST: another process was first. ENOENT: the staged file was removed, by a wipe or as a dead writer's.
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

  function startWatching(): void {
    stopWatching();
    try {
      // The directory, since each write is a new file. Only a hint: if the kernel has no watches left, polling suffices.
      watcher = watchDirectory(directory, { persistent: false }, (_event, name) => {
        if (name?.startsWith("s-")) hints.fire();
      });
      watcher.on("error", stopWatching);
    } catch {
      watcher = undefined;
    }
  }

  function stopWatching(): void {
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
      stopWatching();
    },
  };
}
