import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type PostgresLocation, parsePostgresUrl } from "../../src/config/postgres-url.ts";
import { createSharedTables } from "../../src/database/shared-tables.ts";
import { OperatorError } from "../../src/errors.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { parseState } from "../../src/tickets/protocol/state.ts";
import { transition } from "../../src/tickets/protocol/transition.ts";
import { createSharedState } from "../../src/tickets/shared-state.ts";
import { createPostgresStore } from "../../src/tickets/stores/postgres-store.ts";
import type { TicketStore } from "../../src/tickets/stores/store.ts";
import { eventually } from "../support/harness.ts";
import { missingPostgres, type PostgresServer, startPostgres, stopPostgres } from "../support/postgres.ts";
import { startProxy } from "../support/proxy.ts";
import { acquireAtOnce, answers, closing, fleet, TIMINGS, timeOf } from "./redis-rig.ts";

describe.skipIf(missingPostgres())("one PostgreSQL and what can happen to it", () => {
  let server: PostgresServer;
  let url: string;
  beforeAll(async () => {
    server = await startPostgres({ durable: true });
  });
  beforeEach(async () => {
    url = await server.createDatabase();
  });
  afterAll(stopPostgres);

  /** A store's handle, not yet open. */
  function storeAt(text = url): TicketStore {
    const location = parsePostgresUrl(text) as PostgresLocation;
    const store = createPostgresStore({
      location,
      register: "test@host",
      clock: systemClock,
      timings: TIMINGS,
    });
    closing.push(() => store.close());
    return store;
  }
  /** The same, open and answering. */
  async function openAt(text = url): Promise<TicketStore> {
    const store = storeAt(text);
    await store.open();
    await eventually(() => answers(store), 10_000);
    return store;
  }
  /** The generation that the server holds; 0 for none. */
  async function published(from = server, at = url): Promise<number> {
    const text = await from.sql(at, "SELECT value FROM faceid_tickets");
    const state = parseState(text === "" ? "" : (JSON.parse(text) as string));
    return typeof state === "string" ? 0 : (state.published?.generation ?? 0);
  }

  test("of twenty replicas that request the lease at once, one gets it", async () => {
    const stores = await Promise.all(Array.from({ length: 20 }, () => openAt()));
    const registers = stores.map((store) => createSharedState(store, systemClock, TIMINGS, transition));
    for (let round = 0; round < 3; round++) {
      await server.sql(url, "DELETE FROM faceid_tickets");
      const statuses = await acquireAtOnce(registers);
      expect(statuses.filter((status) => status === "ok")).toHaveLength(1);
      expect(statuses.filter((status) => status === "busy")).toHaveLength(19);
    }
  });

  test("a server that is not up yet does not delay open(), fails calls in time, and is found once it is up", async () => {
    await server.kill();
    const store = storeAt();
    expect(await timeOf(store.open())).toBeLessThan(5_000);
    expect(await timeOf(store.read())).toBeLessThan(TIMINGS.storeTimeoutMs + 5_000);
    expect(await answers(store)).toBe(false);
    await server.restart();
    await eventually(() => answers(store), 10_000);
  });

  test("tables of a later release stop the start in one sentence", async () => {
    const location = parsePostgresUrl(url) as PostgresLocation;
    const parts = {
      ticket: () => storeAt().open(),
      request: async () => {
        const tables = createSharedTables(location, systemClock);
        closing.push(async () => tables?.stop());
        await tables?.start();
      },
    };
    for (const [part, start] of Object.entries(parts)) {
      await start();
      await server.sql(url, `UPDATE faceid_schema SET version = 9 WHERE part = '${part}'`);
      await expect(start()).rejects.toThrow(OperatorError);
      await expect(start()).rejects.toThrow(
        `STORE_URL: the database has version 9 of the ${part} tables, and this release knows up to 1: start a later release`,
      );
    }
  });

  test("close() ends promptly while the server is unreachable, before open(), and when called twice", async () => {
    await server.kill();
    const [away, never] = [storeAt(), storeAt()];
    await away.open();
    expect(await timeOf(away.close())).toBeLessThan(5_000);
    await expect(away.close()).resolves.toBeUndefined();
    await expect(never.close()).resolves.toBeUndefined();
    await expect(never.read()).rejects.toThrow("closed");
    await server.restart();
  });

  test("every call to a stopped server ends in time, and calls work again once it resumes", async () => {
    const store = await openAt();
    const { version } = await store.read();
    server.signal("SIGSTOP");
    try {
      const times = await Promise.all([
        timeOf(store.read()),
        timeOf(store.compareAndSet(version, "x")),
        timeOf(store.read()),
      ]);
      expect(Math.max(...times)).toBeLessThan(TIMINGS.storeTimeoutMs + 5_000);
      expect(await answers(store)).toBe(false);
    } finally {
      server.signal("SIGCONT");
    }
    await eventually(() => answers(store), 10_000);
    // What was written meanwhile, or not, is told by the version and not by the error.
    const { value } = await store.read();
    expect([undefined, "x"]).toContain(value);
  });

  test("what was written survives a server that is killed, and so do versions", async () => {
    const store = await openAt();
    expect(await store.compareAndSet((await store.read()).version, "before")).toBe(true);
    const { version } = await store.read();
    await server.kill();
    await server.restart();
    await eventually(() => answers(store), 10_000);
    expect(await store.read()).toMatchObject({ value: "before", version });
    expect(await store.compareAndSet(version, "after")).toBe(true);
  });

  test("on a connection that dies silently calls end in time, and a new connection is made", async () => {
    const proxy = await startProxy(server.port);
    closing.push(() => proxy.stop());
    const store = await openAt(url.replace(String(server.port), String(proxy.port)));
    const before = proxy.connections;
    proxy.swallow();
    expect(await timeOf(store.read())).toBeLessThan(TIMINGS.storeTimeoutMs + 5_000);
    await eventually(() => answers(store), 10_000);
    expect(proxy.connections).toBeGreaterThan(before);
  });

  test("a write whose response is lost is done once, and the writer is not told that it was", async () => {
    const proxy = await startProxy(server.port);
    closing.push(() => proxy.stop());
    const store = await openAt(url.replace(String(server.port), String(proxy.port)));
    expect(await store.compareAndSet((await store.read()).version, "before")).toBe(true);
    const { version } = await store.read();
    proxy.cutAnswerTo("COMMIT");
    await expect(store.compareAndSet(version, "once")).rejects.toThrow();
    await eventually(() => answers(store), 10_000);
    expect((await store.read()).value).toBe("once");
    expect(await store.compareAndSet(version, "twice")).toBe(false);
  });

  test("a standby is neither read nor written", async () => {
    await openAt();
    const standby = await startPostgres({ primary: server });
    const store = storeAt(url.replace(String(server.port), String(standby.port)));
    await store.open();
    await expect(store.read()).rejects.toThrow("NOT_PRIMARY");
    await expect(store.compareAndSet("empty", "x")).rejects.toThrow("NOT_PRIMARY");
    await standby.kill();
  });

  test("connections go to the primary, however many there are and however the other hosts fare", async () => {
    const standby = await startPostgres({ primary: server });
    const { username, pathname } = new URL(url);
    for (const ports of [
      [server.port, standby.port],
      [standby.port, server.port],
    ]) {
      const hosts = ports.map((port) => `127.0.0.1:${port}`).join();
      const store = await openAt(`postgres://${username}@${hosts}${pathname}`);
      standby.signal("SIGSTOP");
      try {
        expect(await Promise.all(Array.from({ length: 30 }, () => answers(store)))).toEqual(
          Array(30).fill(true),
        );
      } finally {
        standby.signal("SIGCONT");
      }
    }
    await standby.kill();
  });

  test("a write by another process is hinted at soon", async () => {
    const [store, other] = [await openAt(), await openAt()];
    let hints = 0;
    store.watch(() => (hints += 1));
    for (let before = -1; hints < 2 || hints === before; ) {
      before = hints;
      const { version } = await other.read();
      await other.compareAndSet(version, `x${hints}`);
    }
  });

  test("a server whose data is deleted gets the pair back, and no replica refreshes", async () => {
    const team = fleet();
    const members = await Promise.all([0, 1, 2].map(async (i) => team.member(await openAt(), `m${i}`)));
    await eventually(() => members.every(({ tickets }) => tickets.readiness().ready), 10_000);
    const { generation } = members[0]!.tickets.current();
    await server.sql(url, "DELETE FROM faceid_tickets");
    await eventually(async () => (await published()) === generation, 10_000);
    expect(team.calls).toBe(1);
    expect(team.told).toContain("pairHealed");
    expect(members.map(({ tickets }) => tickets.current().generation)).toEqual(Array(3).fill(generation));
  });

  test("after a failover that loses a commit the pair is restored, and nobody refreshes at the same time", async () => {
    const primary = await startPostgres({ durable: true });
    const standby = await startPostgres({ durable: true, primary });
    const at = (port: number) => `postgres://postgres@127.0.0.1:${port}/postgres`;
    const both = `postgres://postgres@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres`;
    const team = fleet();
    const members = await Promise.all([0, 1].map(async (i) => team.member(await openAt(both), `s${i}`)));
    await eventually(() => members.every(({ tickets }) => tickets.readiness().ready), 20_000);
    const first = members[0]!.tickets.current().generation;
    const replicated = async () => (await published(standby, at(standby.port)).catch(() => 0)) === first;
    await eventually(replicated, 20_000);

    // The standby is frozen, so the next commit is acknowledged and known to nobody else.
    standby.signal("SIGSTOP");
    const forced = await members[0]!.operator.forceRefresh(false, AbortSignal.timeout(20_000));
    expect(forced.generation).toBeGreaterThan(first);
    await primary.kill();
    standby.signal("SIGCONT");
    await standby.sql(at(standby.port), "SELECT pg_promote()");
    await eventually(
      async () => (await published(standby, at(standby.port)).catch(() => 0)) >= forced.generation,
      30_000,
    );
    await eventually(
      () => members.every(({ tickets }) => tickets.current().generation >= forced.generation),
      20_000,
    );
    expect(team.overlaps).toBe(0);
    // One at the start, the forced one, and at the most one more if the lost state left a doubt.
    expect(team.calls).toBeLessThanOrEqual(3);
    await standby.kill();
  });
});
