import { beforeEach, describe, expect, test } from "vitest";
import { DeliveryState } from "../../gen/faceverification/v1/delivery_admin_service_pb.ts";
import type { Delivery } from "../../src/ledger/delivery-ledger.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { Handles } from "./ledger.contract.ts";
import { newOrder, passed, T0 } from "./orders.ts";

const { WAITING, DELIVERED, PARKED } = DeliveryState;
const healthy = { failures: 0, resumeAt: 0, stoppedAt: undefined };
const places = (deliveries: readonly Delivery[]) =>
  deliveries.map(({ sequence, endpoint }) => `${sequence} ${endpoint}`);

/** The half of the contract that is about deliveries (`src/ledger/delivery-ledger.ts`). */
export function describeDeliveries(current: () => Ledger, handles: Handles): void {
  describe("deliveries", () => {
    let ledger: Ledger;
    beforeEach(() => {
      ledger = current();
    });

    async function end(orderNo: string, endpoints: string[], endedAt = T0): Promise<void> {
      await ledger.put([newOrder(orderNo)]);
      await ledger.end(orderNo, passed(endedAt), { endpoints });
    }
    const lease = (token: string, now = T0, endpoint = "hook") =>
      ledger.leaseEndpoint({ endpoint, token, now, leaseMs: 10_000, horizonMs: 60_000 });
    const due = (endpoint = "hook", now = T0, limit = 10) =>
      ledger.dueDeliveries({ endpoint, now, limit, horizonMs: 60_000 });
    const settle = (sequence: number, delivery: Partial<Delivery>, token = "t", endpoint = "hook") =>
      ledger.settle({
        endpoint,
        token,
        sequence,
        delivery: {
          state: DELIVERED,
          attempts: 1,
          dueAt: T0,
          triedAt: T0 + 1,
          result: "204",
          replay: false,
          ...delivery,
        },
        health: undefined,
      });

    test("an end queues its event for each endpoint, in sequence", async () => {
      await end("a", ["hook", "other"]);
      await end("b", ["hook"]);
      await end("c", []);
      const [first, ...rest] = await due();
      expect(first).toEqual({
        order: await ledger.find("a"),
        endpoint: "hook",
        sequence: 1,
        state: WAITING,
        attempts: 0,
        queuedAt: T0,
        dueAt: T0,
        triedAt: undefined,
        result: "",
        replay: false,
      });
      expect(places(rest)).toEqual(["2 hook"]);
      expect(places(await due("other"))).toEqual(["1 other"]);
      expect(places(await due("hook", T0, 1))).toEqual(["1 hook"]);
      expect(await due("hook", T0 - 1)).toEqual([]);
      expect(await due("unheard of")).toEqual([]);
    });

    test("an endpoint belongs to one token at a time, until its lease is over or given back", async () => {
      expect(await lease("t1")).toEqual(healthy);
      expect(await lease("t2", T0 + 9_999)).toBeUndefined();
      expect(await lease("t1", T0 + 5_000)).toEqual(healthy);
      expect(await lease("t2", T0 + 14_999)).toBeUndefined();
      expect(await lease("t2", T0 + 15_000)).toEqual(healthy);
      await ledger.releaseEndpoint("hook", "t1");
      expect(await lease("t3", T0 + 15_001)).toBeUndefined();
      await ledger.releaseEndpoint("hook", "t2");
      expect(await lease("t3", T0 + 15_002)).toEqual(healthy);
      expect(await lease("t1", T0, "other")).toEqual(healthy);
    });

    test("one of many that lease at once gets the endpoint", async () => {
      const all = [ledger, await handles.open()];
      const got = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          all[i % 2]!.leaseEndpoint({
            endpoint: "hook",
            token: `t${i}`,
            now: T0,
            leaseMs: 1_000,
            horizonMs: 60_000,
          }),
        ),
      );
      expect(got.filter((health) => health !== undefined)).toHaveLength(1);
    });

    test("a lease by a clock that ran ahead counts as over", async () => {
      await lease("ahead", T0 + 3_600_000);
      expect(await lease("t")).toEqual(healthy);
    });

    test("a settled delivery is what its try made of it, with the endpoint's health", async () => {
      await end("a", ["hook"]);
      await end("b", ["hook"]);
      await lease("t");
      expect(await settle(1, {})).toBe(true);
      const health = { failures: 3, resumeAt: T0 + 5_000, stoppedAt: T0 + 1 };
      const retry = { state: WAITING, attempts: 2, dueAt: T0 + 8_000, result: "timeout", replay: true };
      expect(
        await ledger.settle({
          endpoint: "hook",
          token: "t",
          sequence: 2,
          delivery: { ...retry, triedAt: T0 + 2 },
          health,
        }),
      ).toBe(true);
      const [b, a] = await ledger.listDeliveries({}, { size: 10 });
      expect(a).toMatchObject({ state: DELIVERED, attempts: 1, triedAt: T0 + 1, result: "204" });
      expect(b).toMatchObject({ ...retry, triedAt: T0 + 2, queuedAt: T0 });
      expect(await due()).toEqual([]);
      expect(places(await due("hook", T0 + 8_000))).toEqual(["2 hook"]);
      expect(await lease("t")).toEqual(health);
      await settle(2, {});
      expect(await lease("t")).toEqual(health);
    });

    test("one that has lost the endpoint settles nothing", async () => {
      await end("a", ["hook"]);
      await lease("frozen");
      await lease("next", T0 + 10_000);
      expect(
        await ledger.settle({
          endpoint: "hook",
          token: "frozen",
          sequence: 1,
          delivery: { state: DELIVERED, attempts: 1, dueAt: 0, triedAt: 0, result: "", replay: false },
          health: { failures: 9, resumeAt: 9, stoppedAt: 9 },
        }),
      ).toBe(false);
      expect((await due())[0]).toMatchObject({ state: WAITING, attempts: 0 });
      expect(await lease("next")).toEqual(healthy);
    });

    test("a delivery dated by a clock that ran ahead counts as due", async () => {
      await end("a", ["hook"]);
      await lease("t");
      await settle(1, { state: WAITING, dueAt: T0 + 60_001 });
      expect(places(await due())).toEqual(["1 hook"]);
      await settle(1, { state: WAITING, dueAt: T0 + 60_000 });
      expect(await due()).toEqual([]);
    });

    test("the next due time is that of the first that waits", async () => {
      expect(await ledger.nextDueAt("hook")).toBeUndefined();
      for (const orderNo of ["a", "b", "c"]) await end(orderNo, ["hook"]);
      await lease("t");
      await settle(1, { state: PARKED, dueAt: T0 - 9 });
      await settle(2, { state: WAITING, dueAt: T0 + 7 });
      await settle(3, { state: WAITING, dueAt: T0 + 5 });
      expect(await ledger.nextDueAt("hook")).toBe(T0 + 5);
      await settle(3, {});
      await settle(2, {});
      expect(await ledger.nextDueAt("hook")).toBeUndefined();
    });

    test("deliveries are listed newest first, by page and filter", async () => {
      for (const orderNo of ["a", "b", "c"]) await end(orderNo, ["y", "x", "z"]);
      await lease("t", T0, "x");
      await settle(2, { state: PARKED }, "t", "x");
      const all = ["3 x", "3 y", "3 z", "2 x", "2 y", "2 z", "1 x", "1 y", "1 z"];
      const seen: string[] = [];
      for (let after: Delivery | undefined; ; ) {
        const page = await ledger.listDeliveries({}, { size: 2, after });
        after = page.at(-1);
        if (!after) break;
        seen.push(...places(page));
      }
      expect(seen).toEqual(all);
      const listed = async (filter: Parameters<Ledger["listDeliveries"]>[0]) =>
        places(await ledger.listDeliveries(filter, { size: 10 }));
      expect(await listed({ endpoint: "x" })).toEqual(["3 x", "2 x", "1 x"]);
      expect(await listed({ state: PARKED })).toEqual(["2 x"]);
      expect(await listed({ endpoint: "x", state: WAITING })).toEqual(["3 x", "1 x"]);
      expect(await listed({ orderNo: "b" })).toEqual(["2 x", "2 y", "2 z"]);
      expect(await listed({ orderNo: "b", endpoint: "z" })).toEqual(["2 z"]);
      expect(await listed({ endpoint: "unheard of" })).toEqual([]);
    });

    test("an event is sent again as a replay, whatever became of it", async () => {
      await end("a", ["hook"]);
      await lease("t");
      await settle(1, { attempts: 4 });
      await ledger.put([newOrder("open")]);
      expect(await ledger.redeliver("open", ["hook"], T0)).toBe(0);
      expect(await ledger.redeliver("no such order", ["hook"], T0)).toBe(0);
      expect(await ledger.redeliver("a", [], T0)).toBe(0);
      expect(await ledger.redeliver("a", ["hook", "new"], T0 + 100)).toBe(2);
      const again = { state: WAITING, attempts: 0, queuedAt: T0 + 100, dueAt: T0 + 100, replay: true };
      expect(await due("hook", T0 + 100)).toMatchObject([{ ...again, sequence: 1 }]);
      expect(await due("new", T0 + 100)).toMatchObject([{ ...again, sequence: 1 }]);
    });

    test("recovery restarts an endpoint and queues what it has not received", async () => {
      for (const [i, orderNo] of ["a", "b", "c", "d", "e"].entries())
        await end(orderNo, i === 3 ? [] : ["hook"], T0 + i);
      await lease("t");
      await settle(1, { state: PARKED });
      await settle(2, {});
      await ledger.settle({
        endpoint: "hook",
        token: "t",
        sequence: 3,
        delivery: {
          state: WAITING,
          attempts: 5,
          dueAt: T0 + 9_000,
          triedAt: T0,
          result: "410",
          replay: false,
        },
        health: { failures: 5, resumeAt: T0 + 9_000, stoppedAt: T0 + 5 },
      });
      const recover = { endpoint: "hook", since: T0, until: T0 + 4, now: T0 + 100 };
      expect(await ledger.recover(recover)).toEqual({ queued: 2, restarted: true });
      expect(await lease("t")).toEqual(healthy);
      const queued = await due("hook", T0 + 100);
      expect(queued.map(({ sequence, attempts, replay }) => [sequence, attempts, replay])).toEqual([
        [1, 0, true],
        [3, 5, false],
        [4, 0, true],
        [5, 0, false],
      ]);
      expect(await ledger.recover(recover)).toEqual({ queued: 0, restarted: false });
    });

    test("recovery knows no limit, and minds the bounds of its time", async () => {
      const orders = Array.from({ length: 600 }, (_, i) => newOrder(`n${i}`));
      await ledger.put(orders);
      for (const [i, { orderNo }] of orders.entries())
        await ledger.end(orderNo, passed(T0 + i), { endpoints: [] });
      const recover = { endpoint: "late", since: T0 + 10, until: T0 + 590, now: T0 + 2_000 };
      expect(await ledger.recover(recover)).toEqual({ queued: 580, restarted: false });
      const queued = await due("late", T0 + 2_000, 2_000);
      expect(queued.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 580 }, (_, i) => i + 11));
    });

    test("endpoints are reported in the order asked for, with their health and counts", async () => {
      for (const orderNo of ["a", "b", "c"]) await end(orderNo, ["hook"]);
      await lease("t");
      await settle(1, { state: PARKED });
      await settle(2, {});
      expect(await ledger.endpoints(["new", "hook"])).toEqual([
        { name: "new", ...healthy, waiting: 0, parked: 0 },
        { name: "hook", ...healthy, waiting: 1, parked: 1 },
      ]);
      expect(await ledger.endpoints([])).toEqual([]);
    });
  });
}
