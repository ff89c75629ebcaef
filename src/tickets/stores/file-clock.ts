import { readFileSync } from "node:fs";
import os from "node:os";
import type { Clock } from "../../lib/clock.ts";

/** A reading of the file store's clock, saved in every state file so that any process can continue from it. */
export interface Moment {
  /** The store's clock, milliseconds. */
  now: number;
  /** The kernel's boot id, and its uptime, milliseconds. */
  boot: string;
  upMs: number;
}

/** The kernel's boot and uptime. */
export interface Kernel {
  /** Changes with every boot. */
  bootId(): string;
  /** Milliseconds since boot, suspended time included; the same for all processes. */
  uptimeMs(): number;
}

let ownBootId: string | undefined;

export const thisKernel: Kernel = {
  bootId() {
    try {
      ownBootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    } catch {
      // Not Linux: every process counts as its own boot, and so uses the wall clock.
      ownBootId = `process-${crypto.randomUUID()}`;
    }
    return ownBootId;
  },
  uptimeMs: () => Math.round(os.uptime() * 1000),
};

/**
 * The current moment, counted from the store's `last` one (ticket-cache.md 2.10). Within one boot a pure function of the
 * kernel, so all processes agree and a step of the wall clock changes nothing. After a reboot only the wall clock can tell
 * how long the machine was off. If it reads earlier than the store did, the time off is unknown: `unknownAgeMs` plus the
 * uptime are taken to have passed, so that a pair is still used, and due at once.
 */
export function momentAfter(
  last: Moment | undefined,
  { clock, kernel, unknownAgeMs }: { clock: Pick<Clock, "now">; kernel: Kernel; unknownAgeMs: number },
): Moment {
  const boot = kernel.bootId();
  const upMs = kernel.uptimeMs();
  const wall = Math.floor(clock.now());
  if (last === undefined) return { boot, upMs, now: wall };
  // A container may have its own uptime under the host's boot id; an uptime that went back reveals that.
  if (last.boot === boot && upMs >= last.upMs) return { boot, upMs, now: last.now + (upMs - last.upMs) };
  return { boot, upMs, now: wall >= last.now ? wall : last.now + unknownAgeMs + upMs };
}
