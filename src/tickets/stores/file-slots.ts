import { link, open, readdir, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../lib/private-directory.ts";
import type { Moment } from "./file-clock.ts";

/** The content of a state file; immutable once it has its name. */
export interface Slot extends Moment {
  number: number;
  /** Random; number and id form the version, so that a recreated directory never repeats one. */
  id: string;
  /** The id of the state that this one replaced; empty for the first. */
  prev: string;
  value: string;
}

const KEEP = 8;
/** A temporary file that is older than the newest state by more than this, milliseconds, no longer has a writer. */
const STALE_MS = 60_000;

const slotName = (number: number): string => `s-${String(number).padStart(16, "0")}`;

/** A directory of numbered state files. Every method rejects with the file system's own error. */
export function createSlots(directory: string) {
  const path = (name: string) => join(directory, name);

  /** The numbers in use, ascending. */
  async function numbers(): Promise<number[]> {
    const names = await readdir(directory).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    });
    return names
      .filter((name) => /^s-\d{16}$/.test(name))
      .map((name) => Number(name.slice(2)))
      .sort((a, b) => a - b);
  }

  /** Undefined if the file is missing or incomplete, as after a power failure. */
  async function read(number: number): Promise<Slot | undefined> {
    const text = await readFile(path(slotName(number)), "utf8").catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    });
    return text === undefined ? undefined : parse(number, text);
  }

  /** The newest complete state, and the highest number in use. */
  async function newest(): Promise<{ slot: Slot | undefined; top: number }> {
    for (let tries = 1; ; tries++) {
      const listed = await numbers();
      for (const number of listed.toReversed().slice(0, KEEP)) {
        const slot = await read(number);
        if (slot) return { slot, top: listed.at(-1) ?? 0 };
      }
      // All of them pruned between listing and reading? Then there are newer ones by now.
      const top = listed.at(-1) ?? 0;
      if (tries === 3 || (await numbers()).at(-1) === listed.at(-1)) return { slot: undefined, top };
    }
  }

  /** Writes a file under a temporary name and makes it durable; returns that name. */
  async function stage(slot: Omit<Slot, "number">): Promise<string> {
    const name = `t-${slot.id}`;
    try {
      const file = await open(path(name), "wx", 0o600);
      try {
        await file.writeFile(JSON.stringify(slot));
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      await drop(name);
      throw error;
    }
    return name;
  }

  /** Gives a staged file its number, unless the number is taken: link(2) never replaces. */
  const claim = (staged: string, number: number) => link(path(staged), path(slotName(number)));

  /** Makes the names in the directory durable. */
  async function sync(): Promise<void> {
    const handle = await open(directory, "r");
    await handle.sync().finally(() => handle.close());
  }

  /** Best-effort removal of a name; a later `prune` removes leftovers. */
  const drop = (name: string) => unlink(path(name)).catch(() => undefined);

  /** Removes all but the newest states, oldest first (`confirmWin` relies on that), and files of dead writers. */
  async function prune(newestNumber: number): Promise<void> {
    for (const number of await numbers()) {
      if (number <= newestNumber - KEEP) await drop(slotName(number));
    }
    // Both times are the file system's, so no clock is needed.
    const { mtimeMs } = await stat(path(slotName(newestNumber)));
    for (const name of (await readdir(directory)).filter((entry) => entry.startsWith("t-"))) {
      const age = mtimeMs - (await stat(path(name)).catch(() => ({ mtimeMs }))).mtimeMs;
      if (age > STALE_MS) await drop(name);
    }
  }

  return { numbers, read, newest, stage, claim, sync, drop, prune };
}

export type Slots = ReturnType<typeof createSlots>;

function parse(number: number, text: string): Slot | undefined {
  try {
    const { id, prev, now, boot, upMs, value } = JSON.parse(text) as Partial<Slot>;
    const complete =
      typeof id === "string" &&
      typeof prev === "string" &&
      typeof boot === "string" &&
      typeof value === "string" &&
      Number.isFinite(now) &&
      Number.isFinite(upMs);
    return complete ? ({ number, id, prev, now, boot, upMs, value } as Slot) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether the state `id` that was just linked as `number` is part of the history. It is not if the process was frozen
 * before the link for so long that another process used the number, its successors followed, and it was pruned: then the
 * link found a free name far below the newest. Such a file is removed (ticket-cache.md 2.12). Rejects if it is too late to
 * tell.
 */
export async function confirmWin(slots: Slots, number: number, id: string): Promise<boolean> {
  const top = (await slots.numbers()).at(-1);
  // In this order: pruning removes the lower number first, so a true winner is never seen without its successor.
  const successor = await slots.read(number + 1);
  const own = await slots.read(number);
  if (successor?.prev === id) return true;
  if (own?.id !== id) throw new Error("the ticket store was frozen during a write: read again");
  if (top === number) return true;
  await slots.drop(slotName(number));
  return false;
}
