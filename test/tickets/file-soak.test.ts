import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { createFileStore } from "../../src/tickets/stores/file-store.ts";

const PROCESSES = 5;
const DURATION_MS = 8_000;

interface Seat {
  name: string;
  child: ChildProcess;
  /** Totals this seat's processes said they had written. */
  acknowledged: number[];
  /** Additions that may have happened without being said: rejected calls, and one for each kill. */
  doubtful: number;
}

test("five processes, killed and frozen at random, lose no addition and duplicate none", async () => {
  const root = await mkdtemp(join(tmpdir(), "soak-"));
  const directory = join(root, "register");
  const seats = Array.from({ length: PROCESSES }, (_, i): Seat => {
    const seat = { name: `p${i}`, acknowledged: [], doubtful: 0 } as unknown as Seat;
    start(seat, directory);
    return seat;
  });
  const faults = { killed: 0, frozen: 0 };

  try {
    await expect
      .poll(() => seats.every((seat) => seat.acknowledged.length > 0), { timeout: 20_000 })
      .toBe(true);
    const end = performance.now() + DURATION_MS;
    // Each seat suffers on its own, so that several are frozen at once and wake in any order.
    await Promise.all(
      seats.map(async (seat) => {
        while (performance.now() < end) {
          await pause(100 + Math.random() * 400);
          if (Math.random() < 0.25) {
            await kill(seat);
            faults.killed++;
            start(seat, directory);
          } else {
            seat.child.kill("SIGSTOP");
            // Long enough, mostly, for the others to use and prune the number it is about to take.
            await pause(20 + Math.random() * 500);
            seat.child.kill("SIGCONT");
            faults.frozen++;
          }
        }
      }),
    );
  } finally {
    await Promise.all(seats.map(kill));
  }

  const store = createFileStore({
    directory,
    clock: systemClock,
    timings: { storeTimeoutMs: 10_000, refreshIntervalMs: 1_200_000 },
  });
  const { value = "{}" } = await store.read();
  const left = (await readdir(directory)).filter((name) => name.startsWith("s-"));
  await store.close();
  await rm(root, { recursive: true });

  const { total, shares } = JSON.parse(value) as { total: number; shares: Record<string, number> };
  const acknowledged = seats.flatMap((seat) => seat.acknowledged);
  console.log(
    `file soak: ${acknowledged.length} acknowledged of ${total}, ${faults.killed} kills, ${faults.frozen} freezes`,
  );
  expect(acknowledged.length).toBeGreaterThan(50);
  expect(faults.killed).toBeGreaterThan(3);
  expect(faults.frozen).toBeGreaterThan(10);
  // Made twice: two were told that they wrote the same total.
  expect(new Set(acknowledged).size).toBe(acknowledged.length);
  // Lost: somebody was told so, and it is not in the sum.
  for (const { name, acknowledged: said, doubtful } of seats) {
    expect(shares[name]).toBeGreaterThanOrEqual(said.length);
    expect(shares[name]).toBeLessThanOrEqual(said.length + doubtful);
  }
  expect(Object.values(shares).reduce((a, b) => a + b, 0)).toBe(total);
  expect(left.length).toBeLessThan(8 + 4 + PROCESSES + faults.killed);
});

function start(seat: Seat, directory: string): void {
  const script = join(import.meta.dirname, "file-soak-child.ts");
  seat.child = spawn(process.execPath, [script, directory, seat.name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let rest = "";
  seat.child.stdout!.setEncoding("latin1").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "unknown") seat.doubtful++;
      else seat.acknowledged.push(Number(line.slice("ok ".length)));
    }
  });
}

/** Resolves when it is dead and all it said has been read. */
async function kill(seat: Seat): Promise<void> {
  seat.doubtful++;
  const gone = once(seat.child, "close");
  seat.child.kill("SIGKILL");
  await gone;
}
