import { afterAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { parseState } from "../../src/tickets/protocol/state.ts";
import { transition } from "../../src/tickets/protocol/transition.ts";
import { createSharedState } from "../../src/tickets/shared-state.ts";
import { COMPARE_AND_SET } from "../../src/tickets/stores/redis-store.ts";
import { eventually } from "../support/harness.ts";
import { startProxy } from "../support/proxy.ts";
import { missingRedis, type RedisServer, startRedis, startSentinel, stopRedis } from "../support/redis.ts";
import {
  acquireAtOnce,
  answers,
  closing,
  fleet,
  openAt,
  publishedIn,
  storeAt,
  TIMINGS,
  timeOf,
} from "./redis-rig.ts";

describe.skipIf(missingRedis("redis-server"))("one server and what can happen to it", () => {
  afterAll(stopRedis);

  test("of fifty replicas that request the lease at once, one gets it", async () => {
    const server = await startRedis();
    const stores = await Promise.all(Array.from({ length: 50 }, () => openAt(server.url)));
    const registers = stores.map((store) => createSharedState(store, systemClock, TIMINGS, transition));
    for (let round = 0; round < 5; round++) {
      await server.cli("FLUSHALL");
      const statuses = await acquireAtOnce(registers);
      expect(statuses.filter((status) => status === "ok")).toHaveLength(1);
      expect(statuses.filter((status) => status === "busy")).toHaveLength(49);
    }
  });

  test("a server that is not up yet does not delay open(), fails calls in time, and is found once it is up", async () => {
    const server = await startRedis();
    await server.kill();
    const store = storeAt(server.url);
    expect(await timeOf(store.open())).toBeLessThan(5_000);
    expect(await timeOf(store.read())).toBeLessThan(TIMINGS.storeTimeoutMs + 5_000);
    expect(await answers(store)).toBe(false);
    await server.restart();
    await eventually(() => answers(store), 10_000);
  });

  test("close() ends promptly while the server is unreachable, before open(), and when called twice", async () => {
    const server = await startRedis();
    await server.kill();
    const [away, never] = [storeAt(server.url), storeAt(server.url)];
    await away.open();
    expect(await timeOf(away.close())).toBeLessThan(5_000);
    await expect(away.close()).resolves.toBeUndefined();
    await expect(never.close()).resolves.toBeUndefined();
    await expect(never.read()).rejects.toThrow("closed");
  });

  test("every call to a stopped server ends in time, and calls work again once it resumes", async () => {
    const server = await startRedis();
    const store = await openAt(server.url);
    const { version } = await store.read();
    server.signal("SIGSTOP");
    try {
      const times = await Promise.all([
        timeOf(store.read()),
        timeOf(store.compareAndSet(version, "x")),
        timeOf(store.read()),
      ]);
      expect(Math.max(...times)).toBeLessThan(TIMINGS.storeTimeoutMs + 5_000);
      // Long enough for the client to drop the connection by itself.
      await systemClock.sleep(4_000);
      expect(await answers(store)).toBe(false);
    } finally {
      server.signal("SIGCONT");
    }
    await eventually(() => answers(store), 10_000);
    // What was written meanwhile, or not, is told by the version and not by the error.
    const { value } = await store.read();
    expect([undefined, "x"]).toContain(value);
  });

  test("old versions are worthless after the server died and came back empty", async () => {
    const server = await startRedis();
    const store = await openAt(server.url);
    expect(await store.compareAndSet((await store.read()).version, "before")).toBe(true);
    const { version } = await store.read();
    await server.restart();
    await eventually(() => answers(store), 10_000);
    expect((await store.read()).value).toBeUndefined();
    expect(await store.compareAndSet(version, "late")).toBe(false);
  });

  test("a server that forgets its scripts gets them again", async () => {
    const server = await startRedis();
    const store = await openAt(server.url);
    await server.cli("SCRIPT", "FLUSH");
    const { version } = await store.read();
    await server.cli("SCRIPT", "FLUSH");
    expect(await store.compareAndSet(version, "x")).toBe(true);
    expect((await store.read()).value).toBe("x");
  });

  test("on a connection that dies silently calls end in time, and a new connection is made", async () => {
    const server = await startRedis();
    const proxy = await startProxy(server.port);
    closing.push(() => proxy.stop());
    const store = await openAt(`redis://127.0.0.1:${proxy.port}`);
    const before = proxy.connections;
    proxy.swallow();
    expect(await timeOf(store.read())).toBeLessThan(TIMINGS.storeTimeoutMs + 5_000);
    await eventually(() => answers(store), 10_000);
    expect(proxy.connections).toBeGreaterThan(before);
  });

  test("a write whose response is lost is done once", async () => {
    const server = await startRedis();
    const proxy = await startProxy(server.port);
    closing.push(() => proxy.stop());
    const store = await openAt(`redis://127.0.0.1:${proxy.port}`);
    // The server knows the script by then.
    expect(await store.compareAndSet((await store.read()).version, "before")).toBe(true);
    const { version } = await store.read();
    proxy.cutAnswerTo(COMPARE_AND_SET.sha);
    await expect(store.compareAndSet(version, "once")).rejects.toThrow();
    await eventually(() => answers(store), 10_000);
    expect((await store.read()).value).toBe("once");
    expect(await store.compareAndSet(version, "twice")).toBe(false);
  });

  test("a demoted server is neither read nor written, and used again once it is the primary", async () => {
    const [server, other] = [await startRedis(), await startRedis()];
    const store = await openAt(server.url);
    const { version } = await store.read();
    await server.cli("REPLICAOF", "127.0.0.1", String(other.port));
    await expect(store.read()).rejects.toThrow();
    await expect(store.compareAndSet(version, "x")).rejects.toThrow();
    await server.cli("REPLICAOF", "NO", "ONE");
    await eventually(() => answers(store), 10_000);
  });

  test("a server whose data is deleted gets the pair back, and no replica refreshes", async () => {
    const server = await startRedis();
    const team = fleet();
    const members = await Promise.all(
      [0, 1, 2].map(async (i) => team.member(await openAt(server.url), `m${i}`)),
    );
    await eventually(() => members.every(({ tickets }) => tickets.readiness().ready), 10_000);
    const { generation } = members[0]!.tickets.current();
    await server.cli("FLUSHALL");
    await eventually(async () => (await publishedIn(server)) === generation, 10_000);
    expect(team.calls).toBe(1);
    expect(team.told).toContain("pairHealed");
    expect(members.map(({ tickets }) => tickets.current().generation)).toEqual(Array(3).fill(generation));
  });
});

describe.skipIf(missingRedis("redis-server", "redis-sentinel"))("Sentinel", () => {
  afterAll(stopRedis);

  test("after a failover that loses a commit the pair is restored and the stale holder fenced", async () => {
    const primary = await startRedis();
    const replicaOf = ["--replicaof", "127.0.0.1", String(primary.port), "--repl-diskless-sync-delay", "0"];
    const replicas = [await startRedis(...replicaOf), await startRedis(...replicaOf)];
    await eventually(
      async () => (await primary.cli("INFO", "replication")).match(/state=online/g)?.length === 2,
    );
    const sentinels: RedisServer[] = [];
    for (let i = 0; i < 3; i++) sentinels.push(await startSentinel(primary.port, "main", 2));
    await eventually(async () => {
      const info = await sentinels[0]!.cli("SENTINEL", "MASTER", "main");
      return /num-slaves\n2\n/.test(info) && /num-other-sentinels\n2\n/.test(info);
    });
    const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",");
    const url = `redis+sentinel://${hosts}/main`;

    const team = fleet();
    const members = await Promise.all([0, 1].map(async (i) => team.member(await openAt(url), `s${i}`)));
    await eventually(() => members.every(({ tickets }) => tickets.readiness().ready));
    const first = members[0]!.tickets.current().generation;
    const replicated = async () =>
      (await publishedIn(replicas[0]!)) === first && (await publishedIn(replicas[1]!)) === first;
    await eventually(replicated);

    // The replicas are frozen and cut off, so the next commit is acknowledged and known to nobody else.
    for (const replica of replicas) replica.signal("SIGSTOP");
    await primary.cli("CLIENT", "KILL", "TYPE", "replica");
    const forced = await members[0]!.operator.forceRefresh(false, AbortSignal.timeout(20_000));
    expect(forced.generation).toBeGreaterThan(first);
    // The refresher holds it a moment before the store does.
    await eventually(async () => (await publishedIn(primary)) === forced.generation);
    await primary.kill();
    for (const replica of replicas) replica.signal("SIGCONT");

    const newPrimary = async () => {
      for (const replica of replicas) {
        if ((await replica.cli("ROLE")).startsWith("master")) return replica;
      }
      return undefined;
    };
    await eventually(async () => (await newPrimary()) !== undefined);
    const promoted = (await newPrimary())!;
    await eventually(async () => (await publishedIn(promoted)) >= forced.generation);
    expect(team.told).toContain("pairHealed");
    await eventually(() => members.every(({ tickets }) => tickets.current().generation >= forced.generation));
    expect(team.overlaps).toBe(0);
    // One at the start, the forced one, and at the most one more if the lost state left a doubt.
    expect(team.calls).toBeLessThanOrEqual(3);

    // The old primary comes back believing that it is one, and is not believed.
    await primary.restart();
    const store = await openAt(url);
    const state = parseState((await store.read()).value ?? "");
    expect(typeof state === "string" ? 0 : state.published?.generation).toBeGreaterThanOrEqual(
      forced.generation,
    );
  }, 120_000);
});
