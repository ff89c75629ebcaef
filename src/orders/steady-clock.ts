import type { Clock } from "../lib/clock.ts";

/** Differences that are taken up at once, milliseconds: drift, and a time server's small corrections. */
const TOLERATED_MS = 60_000;
/** How long a larger one has to last until it is believed, milliseconds: most jumps are taken back sooner. */
const BELIEVED_MS = 60 * 60_000;

/**
 * A clock whose wall time does not jump: it follows the monotonic clock until the machine's own wall clock has insisted for
 * an hour. For decisions by wall-clock time that outlive the process and cannot be taken back.
 */
export function createSteadyClock(clock: Clock): Clock {
  const read = () => clock.now() - clock.monotonic();
  let offset = read();
  /** What the machine's clock says instead, and since when. */
  let doubted: { offset: number; since: number } | undefined;

  function follow(): number {
    const seen = read();
    if (Math.abs(seen - offset) <= TOLERATED_MS) {
      [offset, doubted] = [seen, undefined];
    } else if (!doubted || Math.abs(seen - doubted.offset) > TOLERATED_MS) {
      doubted = { offset: seen, since: clock.monotonic() };
    } else if (clock.monotonic() - doubted.since >= BELIEVED_MS) {
      [offset, doubted] = [seen, undefined];
    }
    return offset;
  }

  return {
    now: () => Math.round(follow() + clock.monotonic()),
    monotonic: () => clock.monotonic(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
}
