import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { TicketStore } from "../../src/tickets/stores/store.ts";

/** One register and the ways into it. */
export interface Fixture {
  /** A new handle on the register, opened and ready to be used. */
  open(): Promise<TicketStore>;
  /** Makes the register forget everything, as FLUSHALL or an emptied directory would. */
  wipe(): Promise<void>;
  /** Called after the handles were closed. */
  end?(): Promise<void>;
}

/** What every store must do, whatever it is made of (`src/tickets/stores/store.ts`). */
export function describeStore(name: string, setup: () => Promise<Fixture>): void {
  describe(`${name}: a compare-and-set register with a clock`, () => {
    let fixture: Fixture;
    let opened: TicketStore[];

    async function open(): Promise<TicketStore> {
      const store = await fixture.open();
      opened.push(store);
      return store;
    }
    async function write(store: TicketStore, value: string): Promise<string> {
      const { version } = await store.read();
      expect(await store.compareAndSet(version, value)).toBe(true);
      return (await store.read()).version;
    }

    beforeEach(async () => {
      opened = [];
      fixture = await setup();
    });
    afterEach(async () => {
      await Promise.all(opened.map((store) => store.close()));
      await fixture.end?.();
    });

    test("a new register is empty and has a clock", async () => {
      const store = await open();
      const view = await store.read();
      expect(view.value).toBeUndefined();
      expect(view.version).not.toBe("");
      expect(Math.abs(view.now - Date.now())).toBeLessThan(60_000);
    });

    test("a register holds what was written, under a new version", async () => {
      const store = await open();
      const empty = await store.read();
      expect(await store.compareAndSet(empty.version, "one")).toBe(true);
      const view = await store.read();
      expect(view.value).toBe("one");
      expect(view.version).not.toBe(empty.version);
    });

    test("a register refuses a write on an outdated version", async () => {
      const store = await open();
      const { version: first } = await store.read();
      const second = await write(store, "one");
      expect(await store.compareAndSet(first, "two")).toBe(false);
      expect(await store.compareAndSet("no such version", "two")).toBe(false);
      expect(await store.read()).toMatchObject({ value: "one", version: second });
    });

    test("a register's version changes with every write, even of the same value", async () => {
      const store = await open();
      const versions: string[] = [];
      for (let i = 0; i < 20; i++) versions.push(await write(store, "same"));
      expect(new Set(versions).size).toBe(20);
    });

    test("exactly one of 50 concurrent writers wins, round after round", async () => {
      const stores = [await open(), await open(), await open()];
      for (let round = 0; round < 10; round++) {
        const { version } = await stores[0]!.read();
        const writers = Array.from({ length: 50 }, (_, i) => stores[i % stores.length]!);
        const won = await Promise.all(
          writers.map((store, i) => store.compareAndSet(version, `${round}/${i}`)),
        );
        expect(won.filter(Boolean)).toHaveLength(1);
        expect((await stores[1]!.read()).value).toBe(`${round}/${won.indexOf(true)}`);
      }
    });

    test("no addition is lost when several handles add at once", async () => {
      const stores = [await open(), await open(), await open(), await open()];
      await Promise.all(
        stores.map(async (store) => {
          for (let done = 0; done < 10; ) {
            const { value, version } = await store.read();
            if (await store.compareAndSet(version, String(Number(value ?? 0) + 1))) done++;
          }
        }),
      );
      expect((await stores[0]!.read()).value).toBe("40");
    });

    test("a register never reuses a version, even after all data was lost", async () => {
      const store = await open();
      const before = [await write(store, "a"), await write(store, "b"), await write(store, "c")];
      await fixture.wipe();
      const reopened = await open();
      expect((await reopened.read()).value).toBeUndefined();
      for (const stale of before) {
        expect(await reopened.compareAndSet(stale, "stale")).toBe(false);
        expect(await store.compareAndSet(stale, "stale")).toBe(false);
      }
      const after = [await write(reopened, "a"), await write(store, "b"), await write(reopened, "c")];
      expect(new Set([...before, ...after]).size).toBe(6);
    });

    test("a register has one clock for all handles, which advances and does not go back", async () => {
      const stores = [await open(), await open()];
      const first = (await stores[0]!.read()).now;
      let last = first;
      for (let i = 0; last < first + 30; i++) {
        const { now } = await stores[i % 2]!.read();
        expect(Number.isInteger(now)).toBe(true);
        expect(now).toBeGreaterThanOrEqual(last);
        last = now;
        if (i % 50 === 49) await write(stores[i % 2]!, String(i));
      }
    });

    test("a change is hinted asynchronously, to other handles and to the writer's own", async () => {
      const [writer, other] = [await open(), await open()];
      const heard = { writer: 0, other: 0 };
      const ends = [writer.watch(() => heard.writer++), other.watch(() => heard.other++)];
      // A watch may begin a little late; the coordinator's poll covers that. So: write until both have heard.
      await vi.waitFor(
        async () => {
          await write(writer, "x");
          expect(heard.writer).toBeGreaterThan(0);
          expect(heard.other).toBeGreaterThan(0);
        },
        { timeout: 5_000, interval: 20 },
      );
      for (const end of ends) end();
    });

    test("a watch that has ended stays silent, even if it is ended twice", async () => {
      const store = await open();
      let [ended, kept] = [0, 0];
      const end = store.watch(() => ended++);
      const endKept = store.watch(() => kept++);
      end();
      end();
      const before = ended;
      await vi.waitFor(
        async () => {
          await write(store, "x");
          expect(kept).toBeGreaterThan(0);
        },
        { timeout: 5_000, interval: 20 },
      );
      expect(ended).toBe(before);
      endKept();
    });

    test.each([
      ["nothing but spaces", "  \n "],
      ["other scripts and pictures", '{"姓名":"欧阳🙂","x":"\u0000\u2028\\"}'],
      ["100 KB", JSON.stringify({ long: "ü0".repeat(50_000) })],
    ])("a value of %s is returned unchanged", async (_what, value) => {
      const [writer, reader] = [await open(), await open()];
      await write(writer, value);
      expect((await reader.read()).value === value).toBe(true);
    });

    test("handles share one register, including one opened later", async () => {
      const [a, b] = [await open(), await open()];
      const version = await write(a, "from a");
      expect(await b.read()).toMatchObject({ value: "from a", version });
      expect(await b.compareAndSet(version, "from b")).toBe(true);
      expect(await a.compareAndSet(version, "from a again")).toBe(false);
      expect((await (await open()).read()).value).toBe("from b");
    });

    test("a closed handle rejects every call, and may be closed twice", async () => {
      const [store, other] = [await open(), await open()];
      const { version } = await store.read();
      let heard = 0;
      store.watch(() => heard++);
      await store.close();
      await store.close();
      await expect(store.read()).rejects.toThrow();
      await expect(store.compareAndSet(version, "late")).rejects.toThrow();
      expect(() => store.watch(() => undefined)()).not.toThrow();
      await write(other, "others go on");
      expect((await other.read()).value).toBe("others go on");
      expect(heard).toBe(0);
    });
  });
}
