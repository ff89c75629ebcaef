import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import { StoreError } from "../../src/errors.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { describeDeliveries } from "./deliveries.contract.ts";
import { expired, newOrder, passed, T0 } from "./orders.ts";

/** On a busy machine an operation may not end in its time; repeating it is what its callers do. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreError) || tries === 50) throw error;
      await systemClock.sleep(100);
    }
  }
}

/** Operations that may be repeated without a difference. */
const REPEATABLE = ["put", "find", "list", "endedAfter", "position", "counts", "findRequest"];

/** A ledger whose repeatable operations wait until the machine has time for them. */
const patient = (ledger: Ledger): Ledger =>
  new Proxy(ledger, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== "function" || !REPEATABLE.includes(String(name))) return member;
      return (...args: unknown[]) => patiently(() => Reflect.apply(member, target, args) as Promise<unknown>);
    },
  });

/** One database and the ways into it. */
export interface Fixture {
  /** A new handle on the ledger of a register, opened and ready to be used; of `app@host` unless said otherwise. */
  open(register?: string): Promise<Ledger>;
  /** Called after the handles were closed. */
  end?(): Promise<void>;
}

/** Handles on one ledger, for the length of a test. */
export interface Handles {
  open(register?: string): Promise<Ledger>;
}

const numbers = (orders: readonly { orderNo: string }[]) => orders.map(({ orderNo }) => orderNo);
const claimAt = (now: number, token: string, more: { limit?: number; leaseMs?: number } = {}) => ({
  token,
  now,
  limit: 100,
  leaseMs: 30_000,
  horizonMs: 86_400_000,
  ...more,
});
const unfenced = { endpoints: [] };

/** What every ledger must do, whatever it is made of (`src/ledger/ledger.ts`). */
export function describeLedger(name: string, setup: () => Promise<Fixture>): void {
  describe(`${name}: a ledger`, () => {
    let fixture: Fixture;
    let opened: Ledger[];
    let ledger: Ledger;

    const handles: Handles = {
      async open(register) {
        const handle = patient(await fixture.open(register));
        opened.push(handle);
        return handle;
      },
    };
    beforeEach(async () => {
      opened = [];
      fixture = await setup();
      ledger = await handles.open();
    });
    afterEach(async () => {
      await Promise.all(opened.map((handle) => handle.close()));
      await fixture.end?.();
    });

    test("an order that was put is found as it was, and has no end", async () => {
      const order = newOrder("a", { reference: "REF-1", withPhoto: true, livemode: false });
      await ledger.put([order]);
      const other = await handles.open();
      expect(await other.find("a")).toEqual({
        ...order,
        state: OrderState.CREATED,
        attempts: 0,
        quietSince: undefined,
        end: undefined,
      });
      expect(await ledger.find("b")).toBeUndefined();
    });

    test("putting an order again changes nothing, neither before nor after its end", async () => {
      const order = newOrder("a", { reference: "first" });
      await ledger.put([order, newOrder("b")]);
      await ledger.put([newOrder("a", { reference: "second" }), newOrder("c")]);
      expect((await ledger.find("a"))?.reference).toBe("first");
      expect(numbers(await ledger.list({}, { size: 10 }))).toEqual(["c", "b", "a"]);
      await ledger.end("a", passed(), unfenced);
      await ledger.put([order]);
      expect((await ledger.find("a"))?.state).toBe(OrderState.COMPLETED);
    });

    test("many orders are put at once, and none is nothing", async () => {
      await ledger.put([]);
      await ledger.put(Array.from({ length: 1_234 }, (_, i) => newOrder(`n${i}`)));
      expect(await ledger.counts()).toMatchObject({ open: 1_234 });
    });

    test("an order that was never answered is forgotten, and an end is not", async () => {
      await ledger.put([newOrder("a"), newOrder("b"), newOrder("c")]);
      await ledger.end("b", passed(), unfenced);
      await ledger.discard(["a", "b", "no such order"]);
      expect(numbers(await ledger.list({}, { size: 10 }))).toEqual(["c", "b"]);
    });

    test("registers share a database and nothing else", async () => {
      const other = await handles.open("another@host");
      await ledger.put([newOrder("a")]);
      await other.put([newOrder("a", { reference: "other" }), newOrder("b")]);
      await other.end("a", passed(), unfenced);
      expect((await ledger.find("a"))?.state).toBe(OrderState.CREATED);
      expect(numbers(await ledger.list({}, { size: 10 }))).toEqual(["a"]);
      expect(numbers(await ledger.claim(claimAt(T0 + 60_000, "t")))).toEqual(["a"]);
      expect(await ledger.position()).toEqual({ last: 0, swept: 0 });
      expect(await other.position()).toEqual({ last: 1, swept: 0 });
      expect((await other.counts()).open).toBe(1);
    });

    test("an order is claimed when it is due, for as long as the lease lasts", async () => {
      await ledger.put([newOrder("a"), newOrder("b", { dueAt: T0 + 50_000 })]);
      expect(await ledger.claim(claimAt(T0 + 19_999, "t1"))).toEqual([]);
      const [a, ...rest] = await ledger.claim(claimAt(T0 + 20_000, "t1"));
      expect(rest).toEqual([]);
      expect(a).toMatchObject({ orderNo: "a", attempts: 1, state: OrderState.CREATED });
      expect(await ledger.claim(claimAt(T0 + 49_999, "t2"))).toEqual([]);
      expect(numbers(await ledger.claim(claimAt(T0 + 50_000, "t2"))).sort()).toEqual(["a", "b"]);
      expect((await ledger.find("a"))?.attempts).toBe(2);
    });

    test("those are claimed first that have been due longest, up to the limit", async () => {
      await ledger.put([3, 1, 2].map((i) => newOrder(`n${i}`, { dueAt: T0 + i })));
      const claimed = await ledger.claim(claimAt(T0 + 10, "t", { limit: 2 }));
      expect(numbers(claimed).sort()).toEqual(["n1", "n2"]);
    });

    test("concurrent claims never overlap, and miss nothing", async () => {
      await ledger.put(Array.from({ length: 300 }, (_, i) => newOrder(`n${i}`)));
      const all = [ledger, await handles.open(), await handles.open()];
      const claims = await Promise.all(
        Array.from({ length: 30 }, (_, i) => all[i % 3]!.claim(claimAt(T0 + 20_000, `t${i}`, { limit: 15 }))),
      );
      const claimed = claims.flatMap(numbers);
      expect(new Set(claimed).size).toBe(claimed.length);
      // Claims that ran into each other may have left some to the next.
      while (new Set(claimed).size < 300) {
        const more = numbers(await ledger.claim(claimAt(T0 + 20_000, "last")));
        expect(more.length).toBeGreaterThan(0);
        claimed.push(...more);
      }
      expect(claimed).toHaveLength(300);
    });

    test("an order dated by a clock that ran ahead counts as due", async () => {
      await ledger.put([
        newOrder("day", { dueAt: T0 + 86_400_000 }),
        newOrder("year", { dueAt: T0 + 365 * 86_400_000 }),
        newOrder("due", { dueAt: T0 }),
      ]);
      expect(numbers(await ledger.claim(claimAt(T0, "t"))).sort()).toEqual(["due", "year"]);
      expect(await ledger.claim(claimAt(T0, "t"))).toEqual([]);
    });

    test("a claimed order is put back until its next time, once, and keeps when it first was quiet", async () => {
      await ledger.put([newOrder("a")]);
      await ledger.claim(claimAt(T0 + 20_000, "t1"));
      expect(await ledger.postpone("a", "other", { dueAt: T0 + 25_000 })).toBe(false);
      expect(await ledger.postpone("a", "t1", { dueAt: T0 + 25_000, quietSince: T0 + 21_000 })).toBe(true);
      expect(await ledger.postpone("a", "t1", { dueAt: T0 + 99_000 })).toBe(false);
      expect(await ledger.find("a")).toMatchObject({ dueAt: T0 + 25_000, quietSince: T0 + 21_000 });
      await ledger.claim(claimAt(T0 + 25_000, "t2"));
      expect(await ledger.postpone("a", "t1", { dueAt: T0 + 99_000 })).toBe(false);
      expect(await ledger.postpone("a", "t2", { dueAt: T0 + 45_000 })).toBe(true);
      expect(await ledger.find("a")).toMatchObject({ dueAt: T0 + 45_000, quietSince: T0 + 21_000 });
    });

    test("an order ends with everything that was said, and is never claimed or put back again", async () => {
      await ledger.put([newOrder("a")]);
      await ledger.claim(claimAt(T0 + 20_000, "t1"));
      const ended = await ledger.end("a", passed(), { token: "t1", endpoints: [] });
      expect(ended).toMatchObject({ state: OrderState.COMPLETED, end: { ...passed(), sequence: 1 } });
      expect(await ledger.find("a")).toEqual(ended);
      expect(await ledger.postpone("a", "t1", { dueAt: T0 })).toBe(false);
      expect(await ledger.claim(claimAt(T0 + 90_000, "t2"))).toEqual([]);
    });

    test("an order ends once: a later end gets the first", async () => {
      await ledger.put([newOrder("a")]);
      await ledger.end("a", passed(), unfenced);
      const again = await ledger.end("a", expired(), unfenced);
      expect(again?.end).toEqual({ ...passed(), sequence: 1 });
      expect(await ledger.position()).toEqual({ last: 1, swept: 0 });
      expect(await ledger.end("no such order", passed(), unfenced)).toBeUndefined();
    });

    test("an end by a lost lease changes nothing, and one without a token needs none", async () => {
      await ledger.put([newOrder("a")]);
      await ledger.claim(claimAt(T0 + 20_000, "frozen"));
      await ledger.claim(claimAt(T0 + 50_000, "next"));
      const late = await ledger.end("a", expired(), { token: "frozen", endpoints: ["hook"] });
      expect(late).toMatchObject({ state: OrderState.CREATED, end: undefined });
      expect(await ledger.position()).toEqual({ last: 0, swept: 0 });
      expect(await ledger.listDeliveries({}, { size: 10 })).toEqual([]);
      const ended = await ledger.end("a", passed(), unfenced);
      expect(ended?.state).toBe(OrderState.COMPLETED);
      expect((await ledger.end("a", expired(), { token: "next", endpoints: [] }))?.end).toEqual(ended?.end);
    });

    test("of concurrent ends of one order exactly one stands", async () => {
      const all = [ledger, await handles.open()];
      await ledger.put([newOrder("a")]);
      const ends = await Promise.all(
        Array.from({ length: 20 }, (_, i) => all[i % 2]!.end("a", expired(T0 + i), unfenced)),
      );
      expect(new Set(ends.map((order) => order?.end?.endedAt)).size).toBe(1);
      expect(await ledger.position()).toEqual({ last: 1, swept: 0 });
    });

    test("sequences have no gap, and a reader that follows them misses none", async () => {
      const all = [ledger, await handles.open(), await handles.open()];
      const orders = Array.from({ length: 150 }, (_, i) => newOrder(`n${i}`));
      await ledger.put(orders);
      const read: number[] = [];
      let ending = true;
      const reader = (async () => {
        for (let last = false; !last; ) {
          last = !ending;
          const events = await patiently(() => all[2]!.endedAfter(read.at(-1) ?? 0, 7));
          read.push(...events.map(({ end }) => end!.sequence));
          last &&= events.length === 0;
        }
      })();
      await Promise.all(
        orders.map(({ orderNo }, i) => patiently(() => all[i % 2]!.end(orderNo, passed(), unfenced))),
      );
      ending = false;
      await reader;
      expect(read).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
      expect(await ledger.position()).toEqual({ last: 150, swept: 0 });
    });

    test("pages are newest first, and go on where the last ended", async () => {
      // Pairs of one millisecond, sorted by number.
      await ledger.put(
        Array.from({ length: 20 }, (_, i) =>
          newOrder(`n${String(i).padStart(2, "0")}`, { createdAt: T0 + Math.floor(i / 2) }),
        ),
      );
      const seen: string[] = [];
      for (;;) {
        const last = await ledger.find(seen.at(-1) ?? "");
        const page = await ledger.list({}, { size: 3, after: last });
        if (page.length === 0) break;
        seen.push(...numbers(page));
        // An order that comes meanwhile moves no page.
        await ledger.put([newOrder(`later${seen.length}`, { createdAt: T0 + 1_000 + seen.length })]);
      }
      expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => `n${String(19 - i).padStart(2, "0")}`));
    });

    test.each([
      [{ reference: "R" }, ["d", "b"]],
      [{ userId: "u1" }, ["c", "a"]],
      [{ state: OrderState.COMPLETED }, ["c", "b"]],
      [{ state: OrderState.EXPIRED }, ["d"]],
      [{ state: OrderState.CREATED }, ["a"]],
      [{ state: OrderState.UNKNOWN }, []],
      [{ createdSince: T0 + 1, createdBefore: T0 + 3 }, ["c", "b"]],
      [{ reference: "R", state: OrderState.COMPLETED }, ["b"]],
      [{ reference: "R", userId: "u1" }, []],
      [{ reference: "r" }, []],
    ])("a filter by %o", async (filter, expected) => {
      await ledger.put([
        newOrder("a", { createdAt: T0, userId: "u1" }),
        newOrder("b", { createdAt: T0 + 1, reference: "R" }),
        newOrder("c", { createdAt: T0 + 2, userId: "u1" }),
        newOrder("d", { createdAt: T0 + 3, reference: "R" }),
      ]);
      for (const orderNo of ["b", "c"]) await ledger.end(orderNo, passed(), unfenced);
      await ledger.end("d", expired(), unfenced);
      expect(numbers(await ledger.list(filter, { size: 10 }))).toEqual(expected);
      const [first] = await ledger.list(filter, { size: 1 });
      expect(numbers(await ledger.list(filter, { size: 10, after: first }))).toEqual(
        expected.slice(first ? 1 : 0),
      );
    });

    test("a request stands for its first answer until it expires", async () => {
      const kept = { key: "k", print: "p", response: "sealed", expiresAt: Date.now() + 3_600_000 };
      await ledger.keepRequest(kept);
      await ledger.keepRequest({ ...kept, print: "other", response: "other" });
      expect(await ledger.findRequest("k", Date.now())).toEqual(kept);
      expect(await ledger.findRequest("other", Date.now())).toBeUndefined();
      expect(await ledger.findRequest("k", kept.expiresAt)).toBeUndefined();
    });

    test("a request that has expired may be kept anew", async () => {
      await ledger.keepRequest({ key: "k", print: "p", response: "old", expiresAt: Date.now() - 1 });
      const kept = { key: "k", print: "q", response: "new", expiresAt: Date.now() + 3_600_000 };
      await ledger.keepRequest(kept);
      expect(await ledger.findRequest("k", Date.now())).toEqual(kept);
    });

    test("a sweep deletes what ended long ago, and says up to which event", async () => {
      await ledger.put(["a", "b", "c", "d", "e"].map((orderNo) => newOrder(orderNo)));
      for (const [i, orderNo] of ["a", "b", "c", "d"].entries())
        await ledger.end(orderNo, passed(T0 + i), { endpoints: ["hook"] });
      const sweep = { before: T0 + 3, now: T0 + 9, limit: 2 };
      expect(await ledger.sweep(sweep)).toBe(2);
      expect(await ledger.position()).toEqual({ last: 4, swept: 2 });
      expect(await ledger.sweep(sweep)).toBe(1);
      expect(await ledger.sweep(sweep)).toBe(0);
      expect(await ledger.position()).toEqual({ last: 4, swept: 3 });
      expect(numbers(await ledger.list({}, { size: 10 })).sort()).toEqual(["d", "e"]);
      expect(numbers(await ledger.endedAfter(0, 10))).toEqual(["d"]);
      const left = await ledger.listDeliveries({}, { size: 10 });
      expect(left.map(({ sequence }) => sequence)).toEqual([4]);
    });

    test("a sweep deletes requests that have expired", async () => {
      const now = Date.now();
      for (const [key, expiresAt] of [["old", now + 1_000] as const, ["new", now + 9_000] as const])
        await ledger.keepRequest({ key, print: "p", response: "r", expiresAt });
      await ledger.sweep({ before: 0, now: now + 1_000, limit: 10 });
      expect(await ledger.findRequest("old", now)).toBeUndefined();
      expect(await ledger.findRequest("new", now)).toBeDefined();
    });

    test("counts say how many orders are open, and since when", async () => {
      expect(await ledger.counts()).toEqual({ open: 0, oldestCreatedAt: undefined, oldestDueAt: undefined });
      await ledger.put([
        newOrder("a", { createdAt: T0, dueAt: T0 + 9 }),
        newOrder("b", { createdAt: T0 + 1, dueAt: T0 + 5 }),
        newOrder("c", { createdAt: T0 - 1, dueAt: T0 }),
      ]);
      await ledger.end("c", passed(), unfenced);
      expect(await ledger.counts()).toEqual({ open: 2, oldestCreatedAt: T0, oldestDueAt: T0 + 5 });
    });

    test("an end is hinted at, until the watch ends", async () => {
      await ledger.put([newOrder("a"), newOrder("b")]);
      let hints = 0;
      const stop = ledger.watch(() => (hints += 1));
      // Elsewhere a watch may begin a little later; there is no promise about the first hint.
      for (let i = 0; hints === 0; i++) {
        await ledger.put([newOrder(`w${i}`)]);
        await ledger.end(`w${i}`, passed(), unfenced);
      }
      stop();
      const before = hints;
      await ledger.end("b", passed(), unfenced);
      await ledger.find("b");
      expect(hints).toBe(before);
    });

    describeDeliveries(() => ledger, handles);
  });
}
