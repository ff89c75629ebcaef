import { expect, test } from "vitest";
import { StoreError } from "../../src/errors.ts";
import type { NewOrder } from "../../src/ledger/ledger.ts";
import { createRecorder } from "../../src/orders/recorder.ts";
import { World } from "../simulation/world.ts";

const afterTurns = async () => {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
};
const orderOf = (orderNo: string): NewOrder => ({
  orderNo,
  userId: "u",
  reference: "",
  linkId: "",
  createdAt: 0,
  withPhoto: false,
  livemode: true,
  dueAt: 20_000,
});

/** A recorder in virtual time over a ledger that is down, slow or well. */
function rig() {
  const world = new World(1, afterTurns);
  const ledger = { down: false, slow: false, puts: [] as string[][], discarded: [] as string[] };
  const reported: string[] = [];
  async function ask(): Promise<void> {
    if (ledger.slow) await new Promise<void>((resolve) => world.after(60_000, resolve));
    if (ledger.down) throw new StoreError("put", "ECONNREFUSED");
  }
  const recorder = createRecorder({
    ledger: {
      async put(orders) {
        await ask();
        ledger.puts.push(orders.map(({ orderNo }) => orderNo));
      },
      async discard(numbers) {
        await ask();
        ledger.discarded.push(...numbers);
      },
    },
    clock: {
      now: () => world.now,
      monotonic: () => world.now,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
          world.after(ms, resolve);
        }),
    },
    random: () => 1,
    events: {
      ordersUnwritten: ({ rows }) => void reported.push(`unwritten ${rows}`),
      ordersLost: ({ rows, why }) => void reported.push(`lost ${rows}: ${why}`),
    },
  });
  const settledAt = (recording: { settled(): Promise<void> }) => recording.settled().then(() => world.now);
  return { world, ledger, recorder, reported, settledAt };
}

test("rows of one turn are one transaction; what comes while it is written is the next", async () => {
  const { world, ledger, recorder } = rig();
  ledger.slow = true;
  recorder.put(orderOf("a"));
  recorder.put(orderOf("b"));
  await world.run(1);
  recorder.put(orderOf("c"));
  recorder.put(orderOf("d"));
  await world.run(200_000);
  expect(ledger.puts).toEqual([
    ["a", "b"],
    ["c", "d"],
  ]);
});

test("rows wait 35 ms for others, 20 once a launch waits for one of them, and not at all once each is waited for", async () => {
  const { world, ledger, recorder, settledAt } = rig();
  const first = recorder.put(orderOf("a"));
  expect(await Promise.all([settledAt(first), world.run(1)])).toEqual([0, undefined]);
  const [b, c] = [recorder.put(orderOf("b")), recorder.put(orderOf("c"))];
  const bSettled = settledAt(b);
  await world.run(10);
  expect(ledger.puts).toEqual([["a"]]);
  const cSettled = settledAt(c);
  await world.run(12);
  expect(await Promise.all([bSettled, cSettled])).toEqual([10, 10]);
  const d = recorder.put(orderOf("d"));
  recorder.put(orderOf("e"));
  await world.run(15);
  const dSettled = settledAt(d);
  await world.run(29);
  expect(ledger.puts).toEqual([["a"], ["b", "c"]]);
  await world.run(31);
  expect(await dSettled).toBe(30);
  expect(ledger.puts.at(-1)).toEqual(["d", "e"]);
  recorder.put(orderOf("f"));
  await world.run(64);
  expect(ledger.puts.at(-1)).toEqual(["d", "e"]);
  await world.run(66);
  expect(ledger.puts.at(-1)).toEqual(["f"]);
  const g = recorder.put(orderOf("g"));
  recorder.put(orderOf("h"));
  await world.run(90);
  const gSettled = settledAt(g);
  await world.run(91);
  expect(await gSettled).toBe(90);
  expect(ledger.puts.at(-1)).toEqual(["g", "h"]);
});

test("a call waits until its row is durable, for 300 ms at most, and not at all while the ledger is known to be down", async () => {
  const { world, ledger, recorder, settledAt } = rig();
  const quick = settledAt(recorder.put(orderOf("a")));
  await world.run(1);
  expect(await quick).toBeLessThanOrEqual(1);
  ledger.slow = true;
  const slow = settledAt(recorder.put(orderOf("b")));
  await world.run(1_000);
  expect(await slow).toBe(300);
  [ledger.slow, ledger.down] = [false, true];
  recorder.put(orderOf("c"));
  await world.run(100_000);
  expect(recorder.unreachable()).toBe(true);
  expect(await settledAt(recorder.put(orderOf("d")))).toBe(100_000);
});

test("what cannot be written waits, in order, and is written when the ledger is back", async () => {
  const { world, ledger, recorder, reported } = rig();
  ledger.down = true;
  const done: string[] = [];
  recorder.put(orderOf("a"));
  recorder.write(async () => {
    if (ledger.down) throw new StoreError("end", "ECONNREFUSED");
    done.push(`after ${ledger.puts.flat().join()}`);
  });
  await world.run(10_000);
  recorder.put(orderOf("b"));
  expect(reported.at(-1)).toBe("unwritten 3");
  ledger.down = false;
  await world.run(20_000);
  expect(ledger.puts).toEqual([["a", "b"]]);
  expect(done).toEqual(["after a,b"]);
  expect(reported.at(-1)).toBe("unwritten 0");
  expect(recorder.unreachable()).toBe(false);
});

test("a launch that failed leaves no row, whether it was written or not", async () => {
  const { world, ledger, recorder } = rig();
  recorder.put(orderOf("never")).discard();
  const written = recorder.put(orderOf("written"));
  await world.run(10);
  written.discard();
  ledger.slow = true;
  const onItsWay = recorder.put(orderOf("on its way"));
  await world.run(35);
  onItsWay.discard();
  await world.run(300_000);
  expect(ledger.puts.flat()).toEqual(["written", "on its way"]);
  expect(ledger.discarded).toEqual(["written", "on its way"]);
});

test("a hundred thousand wait at most; the oldest are dropped, and counted in sums", async () => {
  const { world, ledger, recorder, reported } = rig();
  ledger.down = true;
  for (let i = 0; i < 100_007; i++) recorder.put(orderOf(String(i)));
  await world.run(1_000);
  expect(reported.filter((line) => line.startsWith("lost"))).toEqual(["lost 7: memory is full"]);
  expect(reported.at(-2)).toMatch("unwritten 100000");
  ledger.down = false;
  await world.run(60_000);
  await expect.poll(() => ledger.puts.flat().length, { timeout: 20_000 }).toBe(100_000);
  const rows = ledger.puts.flat();
  expect([rows.length, rows[0]]).toEqual([100_000, "7"]);
  expect(Math.max(...ledger.puts.map(({ length }) => length))).toBe(500);
});

test("at the end the rest is written once more, and what remains is counted as lost", async () => {
  const { world, ledger, recorder, reported } = rig();
  ledger.down = true;
  recorder.put(orderOf("a"));
  await world.run(1_000);
  ledger.down = false;
  const stopped = recorder.stop();
  await world.run(1_100);
  await stopped;
  expect(ledger.puts).toEqual([["a"]]);
  ledger.down = true;
  const second = rig();
  second.ledger.down = true;
  second.recorder.put(orderOf("b"));
  await second.world.run(1_000);
  const lost = second.recorder.stop();
  await second.world.run(4_000);
  await lost;
  expect(second.reported.at(-1)).toBe("lost 1: the process ends");
  expect(reported.join()).not.toContain("lost");
});
