import { readFileSync } from "node:fs";
import os from "node:os";
import type { Clock } from "../../lib/clock.ts";

/** A moment of the file store's clock, kept in every state file so that any process can go on counting from it. */
export interface Moment {
  /** The store's clock, milliseconds. */
  now: number;
  /** Which start of the kernel this was, and how long it had been up, milliseconds. */
  boot: string;
  upMs: number;
}

/** What the kernel says about itself. */
export interface Kernel {
  /** A new one after every restart of the machine. */
  bootId(): string;
  /** Milliseconds since that start, suspended time included; the same for all processes. */
  uptimeMs(): number;
}

let ownBootId: string | undefined;

export const thisKernel: Kernel = {
  bootId() {
    try {
      ownBootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    } catch {
      // Not Linux: every process counts as a start of its own, and so goes by the wall clock.
      ownBootId = `process-${crypto.randomUUID()}`;
    }
    return ownBootId;
  },
  uptimeMs: () => Math.round(os.uptime() * 1000),
};

/**
 * The moment it is now, counted from the `last` one in the store (ticket-cache.md 2.10). A pure function of the kernel
 * within one boot, so all processes agree and a step of the wall clock changes nothing. After a restart of the machine
 * only the wall clock can say how long it was off. If that reads earlier than the store did, nobody knows:
 * then `unknownAgeMs` have passed and the time since the start, so a pair is still used and at once due.
 */
export function momentAfter(
  last: Moment | undefined,
  { clock, kernel, unknownAgeMs }: { clock: Pick<Clock, "now">; kernel: Kernel; unknownAgeMs: number },
): Moment {
  const boot = kernel.bootId();
  const upMs = kernel.uptimeMs();
  const wall = Math.floor(clock.now());
  if (last === undefined) return { boot, upMs, now: wall };
  // A container may show an uptime of its own under the host's boot id; it betrays itself by starting again.
  if (last.boot === boot && upMs >= last.upMs) return { boot, upMs, now: last.now + (upMs - last.upMs) };
  return { boot, upMs, now: wall >= last.now ? wall : last.now + unknownAgeMs + upMs };
}
