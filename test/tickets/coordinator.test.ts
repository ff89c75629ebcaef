import { createSecretKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { codeEntry } from "../../src/domain/codes.ts";
import { ErrorReason, ServiceError, UpstreamError } from "../../src/errors.ts";
import { Secret } from "../../src/lib/redacted.ts";
import { createSealer } from "../../src/tickets/sealer.ts";
import type { TicketStore } from "../../src/tickets/stores/store.ts";
import { createRig, MINUTE, TIMINGS } from "./rig.ts";

const never = new AbortController().signal;
const hangs = () => new Promise<never>(() => undefined);

describe("readiness tells the truth", () => {
  test("a process is not ready before its first pair, and ready with it", async () => {
    const rig = createRig();
    const { coordinator } = rig.started();
    expect(coordinator.tickets.readiness()).toEqual({ ready: false, reason: "there is no ticket pair yet" });
    await rig.run(1_000);
    expect(coordinator.tickets.readiness().ready).toBe(true);
  });

  test("a process is not ready once its pair has expired, after an hour with the store unreachable", async () => {
    const rig = createRig();
    const { coordinator } = rig.started();
    await rig.run(1_000);
    rig.store.downUntil = Number.POSITIVE_INFINITY;
    await rig.run(58 * MINUTE);
    expect(coordinator.tickets.readiness().ready).toBe(true);
    await rig.run(2 * MINUTE);
    expect(coordinator.tickets.readiness()).toEqual({ ready: false, reason: "the ticket pair has expired" });
    expect(() => coordinator.tickets.current()).toThrow(ServiceError);
    // And back as soon as the store is.
    rig.store.downUntil = 0;
    await rig.run(7_000);
    expect(coordinator.tickets.readiness().ready).toBe(true);
  });

  test("a process whose pair the vendor refuses is not ready until one is accepted or half a minute has passed", async () => {
    const rig = createRig();
    const { coordinator } = rig.started({ refreshes: false });
    rig.started();
    await rig.run(7_000);
    const { tickets } = coordinator;
    const pair = tickets.current();
    rig.upstream.downUntil = Number.POSITIVE_INFINITY;
    rig.client.fetchAccessToken = () => Promise.reject(new UpstreamError("access_token", "not_sent"));
    void tickets.renewed(pair, "400103", never);
    await rig.run(1);
    expect(tickets.readiness()).toEqual({ ready: false, reason: "the vendor refuses the ticket pair" });
    await rig.run(1_000);
    tickets.accepted(pair);
    expect(tickets.readiness().ready).toBe(true);
    await rig.run(1_000);
    void tickets.renewed(pair, "400103", never);
    await rig.run(29_000);
    expect(tickets.readiness().ready).toBe(false);
    await rig.run(2_000);
    expect(tickets.readiness().ready).toBe(true);
  });

  test("a process whose loop hangs is not ready, even though readers keep polling the store", async () => {
    const rig = createRig();
    let hanging = false;
    const { life } = rig.replica();
    const inner = rig.storeClient(life);
    const store: TicketStore = { ...inner, read: () => (hanging ? hangs() : inner.read()) };
    const { coordinator } = rig.started({ store });
    await rig.run(10_000);
    hanging = true;
    await rig.run(20_000);
    expect(coordinator.tickets.readiness().ready).toBe(true);
    await rig.run(20_000);
    expect(coordinator.tickets.readiness()).toEqual({
      ready: false,
      reason: "the refresh loop has stopped",
    });
    expect(coordinator.operator.status().loopSilentMs).toBeGreaterThan(30_000);
  });
});

describe("an error never ends refreshing", () => {
  test.each([
    ["the store's read", "read"],
    ["the store's write", "compareAndSet"],
  ] as const)("refreshing survives an error thrown by %s", async (_what, method) => {
    const rig = createRig();
    let broken = true;
    const { life } = rig.replica();
    const inner = rig.storeClient(life);
    const store: TicketStore = {
      ...inner,
      [method]: (...args: [string, string]) => {
        if (broken) throw new TypeError("a bug");
        return (inner[method] as (...all: string[]) => Promise<never>)(...args);
      },
    };
    const { coordinator } = rig.started({ store });
    await rig.run(MINUTE);
    expect(coordinator.tickets.readiness().ready).toBe(false);
    broken = false;
    await rig.run(7_000);
    expect(coordinator.tickets.readiness().ready).toBe(true);
  });

  test("refreshing survives an error thrown by a step and by the event handler it is reported to", async () => {
    const rig = createRig();
    let broken = 0;
    const replica = rig.replica();
    const { coordinator } = rig.started({
      random() {
        if (rig.world.now > MINUTE && rig.world.now < 2 * MINUTE) {
          broken++;
          throw new TypeError("a bug");
        }
        return 0.5;
      },
      events: new Proxy({} as never, {
        get: () => () => {
          if (rig.world.now > MINUTE) throw new TypeError("a full disk");
        },
      }),
    });
    await rig.run(30 * MINUTE);
    expect(broken).toBeGreaterThan(5);
    expect(rig.upstream.tokenCalls).toBe(2);
    expect(coordinator.tickets.readiness().ready).toBe(true);
    expect(replica.told).toEqual([]);
  });

  test("refreshing survives unexpected errors of the vendor's client", async () => {
    const rig = createRig();
    const real = { ...rig.client };
    rig.client.fetchAccessToken = () => {
      throw new TypeError("a bug");
    };
    const { coordinator, refreshes } = rig.started();
    await rig.run(MINUTE);
    // An outcome nobody knows: again after the quiet time, and not before.
    expect(refreshes.length).toBeGreaterThan(10);
    expect(refreshes.length).toBeLessThan(25);
    expect(new Set(refreshes.map(({ outcome }) => outcome))).toEqual(new Set(["unknown"]));
    Object.assign(rig.client, real);
    await rig.run(7_000);
    expect(coordinator.tickets.readiness().ready).toBe(true);
  });

  test("a call that never ends is aborted after its timeout", async () => {
    const rig = createRig();
    const real = { ...rig.client };
    rig.client.fetchAccessToken = hangs;
    const { coordinator, refreshes } = rig.started();
    await rig.run(7_000);
    expect(refreshes).toMatchObject([{ outcome: "unknown" }]);
    Object.assign(rig.client, real);
    await rig.run(5_000);
    expect(coordinator.tickets.readiness().ready).toBe(true);
  });
});

describe("what a request costs", () => {
  test("current() does no I/O, waits for nothing, and returns the same frozen pair", async () => {
    const rig = createRig();
    let forbidden = false;
    const { life } = rig.replica();
    const inner = rig.storeClient(life);
    const guard = <T extends (...args: never[]) => unknown>(call: T): T =>
      ((...args: never[]) => {
        if (forbidden) throw new Error("the hot path touched the store");
        return call(...args);
      }) as T;
    const store: TicketStore = {
      ...inner,
      read: guard(() => inner.read()),
      compareAndSet: guard((version: string, value: string) => inner.compareAndSet(version, value)),
    };
    const { coordinator } = rig.started({ store });
    await rig.run(1_000);
    forbidden = true;
    const { tickets } = coordinator;
    const pair = tickets.current();
    expect(pair).not.toHaveProperty("then");
    expect(Object.isFrozen(pair)).toBe(true);
    for (let i = 0; i < 1_000; i++) {
      expect(tickets.isStale()).toBe(false);
      expect(tickets.current()).toBe(pair);
      tickets.accepted(pair);
      tickets.safeUntil(pair);
      tickets.readiness();
    }
  });

  test("a hundred callers that are refused and abort cause one token call, as if they had waited", async () => {
    const calls = async (givesUp: boolean) => {
      const rig = createRig();
      const { coordinator } = rig.started();
      await rig.run(5 * MINUTE);
      rig.upstream.revoke();
      const { tickets } = coordinator;
      const pair = tickets.current();
      const gaveUp = new AbortController();
      const outcomes = Array.from({ length: 100 }, () =>
        tickets.renewed(pair, "400103", gaveUp.signal).then(
          (renewed) => (renewed ? "renewed" : "none"),
          () => "gave up",
        ),
      );
      await rig.run(3);
      if (givesUp) gaveUp.abort(new Error("the caller went away"));
      await rig.run(MINUTE);
      expect(new Set(await Promise.all(outcomes))).toEqual(new Set([givesUp ? "gave up" : "renewed"]));
      expect(tickets.current().generation).toBeGreaterThan(pair.generation);
      return rig.upstream.tokenCalls;
    };
    expect(await calls(true)).toBe(2);
    expect(await calls(false)).toBe(2);
  });
});

describe("the status snapshot", () => {
  test("a status at rest shows the pair, its ages and no refresh", async () => {
    const rig = createRig();
    const { coordinator } = rig.started();
    await rig.run(10 * MINUTE);
    const status = coordinator.operator.status();
    expect(status).toMatchObject({
      replica: "p1",
      refreshes: true,
      ready: true,
      usable: true,
      storeUp: true,
      lease: undefined,
      intentMs: undefined,
      stageMs: undefined,
      doubtMs: undefined,
      doubtHoldMs: 0,
      backoffMs: 0,
      failures: 0,
      forcedRotations: 0,
      refreshing: false,
      last: { reason: "cold", outcome: "ok", generation: status.generation },
    });
    expect(status.storeGeneration).toBe(status.generation);
    for (const age of [status.ageMs, status.tokenAgeMs, status.signAgeMs]) {
      expect(age! / MINUTE).toBeCloseTo(10, 1);
    }
    expect(status.refreshInMs! / MINUTE).toBeCloseTo(10, 1);
    expect(status.hardLimitInMs! / MINUTE).toBeCloseTo(49, 1);
    expect(JSON.stringify(status)).not.toMatch(/token-|sign-of/);
  });

  test("a status while refreshes fail shows the failures and the backoff", async () => {
    const rig = createRig();
    const { coordinator } = rig.started();
    await rig.run(MINUTE);
    rig.client.fetchAccessToken = () => Promise.reject(new UpstreamError("access_token", "timeout"));
    void coordinator.operator.forceRefresh(false, never);
    await rig.run(5_000);
    const status = coordinator.operator.status();
    expect(status.last).toMatchObject({ reason: "doubt", outcome: "unknown" });
    expect(status.doubtMs).toBeGreaterThan(3_000);
    expect(status.failures).toBeGreaterThan(0);
    expect(status.backoffMs).toBeLessThanOrEqual(TIMINGS.quiesceMs);
    expect(status.ready).toBe(true);
  });
});

describe("an operator forces a refresh", () => {
  test("a forced refresh is made by the next refresher, and the old pair keeps working meanwhile", async () => {
    const rig = createRig();
    const [one, other] = [rig.started(), rig.started()];
    await rig.run(MINUTE);
    const { generation, accessToken } = other.coordinator.tickets.current();
    const forced = other.coordinator.operator.forceRefresh(false, never);
    await rig.run(1_000);
    const result = await forced;
    expect(result).toMatchObject({ previous: generation, alone: false });
    expect(other.coordinator.tickets.current().generation).toBe(result.generation);
    expect(one.coordinator.tickets.current().generation).toBe(result.generation);
    expect(rig.upstream.isAlive(accessToken.reveal())).toBe(true);
    expect(rig.upstream.tokenCalls).toBe(2);
  });

  test("a second forced refresh in a row waits for the floor", async () => {
    const rig = createRig();
    const { operator } = rig.started().coordinator;
    await rig.run(MINUTE);
    const first = operator.forceRefresh(false, never);
    await rig.run(1_000);
    await first;
    let done = false;
    const second = operator.forceRefresh(false, never).then(() => {
      done = true;
    });
    await rig.run(12_000);
    expect(done).toBe(false);
    await rig.run(3_000);
    await second;
    expect(rig.upstream.tokenCalls).toBe(3);
  });

  test("a forced refresh rejects with the caller's abort reason, and the rotation continues", async () => {
    const rig = createRig();
    const { operator, tickets } = rig.started().coordinator;
    await rig.run(MINUTE);
    const { generation } = tickets.current();
    const caller = new AbortController();
    const forced = operator.forceRefresh(false, caller.signal);
    caller.abort(new Error("gone"));
    await expect(forced).rejects.toThrow("gone");
    await rig.run(1_000);
    expect(tickets.current().generation).toBeGreaterThan(generation);
  });

  describe("with the store unreachable", () => {
    test("a forced refresh is refused while the store is unreachable", async () => {
      const rig = createRig();
      const { operator } = rig.started().coordinator;
      await rig.run(MINUTE);
      rig.store.downUntil = Number.POSITIVE_INFINITY;
      const forced = operator.forceRefresh(false, never);
      const refused = expect(forced).rejects.toMatchObject({
        reason: ErrorReason.TICKET_UNAVAILABLE,
        metadata: { why: "the ticket store is away" },
      });
      await rig.run(5_000);
      await refused;
      expect(rig.upstream.tokenCalls).toBe(1);
    });

    test("a forced refresh allowed without the store is made alone, and the store gets the pair once it is back", async () => {
      const rig = createRig();
      const one = rig.started();
      const other = rig.started();
      await rig.run(20_000);
      rig.store.downUntil = Number.POSITIVE_INFINITY;
      await rig.run(40 * MINUTE);
      const forced = one.coordinator.operator.forceRefresh(true, never);
      await rig.run(5_000);
      const { previous, generation, alone } = await forced;
      expect(alone).toBe(true);
      expect(generation).toBeGreaterThan(previous);
      expect(one.refreshes.at(-1)).toMatchObject({ reason: "alone", outcome: "ok", generation });
      expect(one.coordinator.operator.status()).toMatchObject({ usable: true, storeUp: false });
      // A second time while the first is not settled: no.
      const again = expect(one.coordinator.operator.forceRefresh(true, never)).rejects.toMatchObject({
        metadata: { why: expect.stringContaining("under way") },
      });
      await rig.run(5_000);
      await again;
      rig.store.downUntil = 0;
      await rig.run(10_000);
      expect(other.coordinator.tickets.current().generation).toBe(generation);
      expect(rig.upstream.tokenCalls).toBe(2);
      await rig.run(30 * MINUTE);
      expect(rig.upstream.overlaps).toBe(0);
      expect(rig.upstream.isLatest(other.coordinator.tickets.current().accessToken.reveal())).toBe(true);
    });

    test("a solo refresh while others refreshed through the store is followed by one more rotation", async () => {
      const rig = createRig();
      const [one, other] = [rig.started(), rig.started()];
      await rig.run(20_000);
      one.life.partitionedUntil = rig.world.now + 10 * MINUTE;
      const byOthers = other.coordinator.operator.forceRefresh(false, never);
      await rig.run(5_000);
      await byOthers;
      const alone = one.coordinator.operator.forceRefresh(true, never);
      await rig.run(5_000);
      await alone;
      const deadly = other.coordinator.tickets.current().accessToken.reveal();
      await rig.run(10 * MINUTE + 20_000);
      expect(rig.upstream.isAlive(deadly)).toBe(false);
      for (const { coordinator } of [one, other]) {
        const token = coordinator.tickets.current().accessToken.reveal();
        expect(rig.upstream.isAlive(token)).toBe(true);
        expect(rig.upstream.isLatest(token)).toBe(true);
      }
    });

    test.each([
      ["the outcome of the token call is unknown", "fetchAccessToken", "unknown"],
      ["there is no ticket for the new token", "fetchSignTicket", "no_ticket"],
    ] as const)(
      "the fleet rotates in order after a solo refresh in which %s",
      async (_what, method, outcome) => {
        const rig = createRig();
        const { coordinator } = rig.started();
        await rig.run(MINUTE);
        rig.store.downUntil = Number.POSITIVE_INFINITY;
        const real = rig.client[method];
        rig.client[method] = () => Promise.reject(new UpstreamError("access_token", "timeout"));
        const forced = coordinator.operator.forceRefresh(true, never);
        const refused = expect(forced).rejects.toMatchObject({
          metadata: { why: expect.stringContaining(outcome) },
        });
        await rig.run(30_000);
        await refused;
        rig.client[method] = real;
        rig.store.downUntil = 0;
        const before = rig.upstream.tokenCalls;
        await rig.run(30_000);
        expect(rig.upstream.tokenCalls).toBe(before + 1);
        expect(rig.upstream.isLatest(coordinator.tickets.current().accessToken.reveal())).toBe(true);
      },
    );

    test("a forced refresh is refused by a process that does not refresh", async () => {
      const rig = createRig();
      const { coordinator } = rig.started({ refreshes: false });
      rig.store.downUntil = Number.POSITIVE_INFINITY;
      const refused = expect(coordinator.operator.forceRefresh(true, never)).rejects.toMatchObject({
        metadata: { why: expect.stringContaining("others") },
      });
      await rig.run(5_000);
      await refused;
      expect(rig.upstream.tokenCalls).toBe(0);
    });
  });
});

describe("records that cannot be used", () => {
  test("a pair sealed with a foreign key is left alone while it may be alive, and then replaced once", async () => {
    const rig = createRig();
    const theirs = rig.started({
      sealer: createSealer("app", () => [{ id: "other", key: createSecretKey(new Uint8Array(32).fill(1)) }]),
    });
    await rig.run(1_000);
    await theirs.coordinator.stop();
    const ours = rig.started();
    await rig.run(58 * MINUTE);
    expect(ours.told).toContainEqual({ event: "recordUnreadable", detail: { why: "key" } });
    expect(ours.coordinator.tickets.readiness().ready).toBe(false);
    expect(rig.upstream.tokenCalls).toBe(1);
    await rig.run(3 * MINUTE);
    expect(rig.upstream.tokenCalls).toBe(2);
    expect(ours.coordinator.tickets.readiness().ready).toBe(true);
  });

  test("a state of a later release is left alone", async () => {
    const rig = createRig();
    const later = JSON.stringify({ schema: 2, anything: true });
    rig.store.compareAndSet(rig.store.read().version, later);
    const { coordinator, told } = rig.started();
    await rig.run(10 * MINUTE);
    expect(rig.store.value).toBe(later);
    expect(rig.upstream.tokenCalls).toBe(0);
    expect(coordinator.tickets.readiness().ready).toBe(false);
    expect(told.filter(({ event }) => event === "recordUnreadable")).toHaveLength(1);
  });

  test("a second secret takes over when the first is refused, and is tried first from then on", async () => {
    const rig = createRig();
    const [old, next] = [new Secret("old"), new Secret("next")];
    const tried: string[] = [];
    const real = { ...rig.client };
    rig.client.fetchAccessToken = (secret, signal) => {
      tried.push(secret.reveal());
      if (secret === old)
        return Promise.reject(new UpstreamError("access_token", "code", { entry: codeEntry("400101") }));
      return real.fetchAccessToken(secret, signal);
    };
    rig.started({ secrets: () => [old, next] });
    await rig.run(21 * MINUTE);
    expect(tried).toEqual(["old", "next", "next"]);
  });
});

test("stop() waits for a running refresh, and its pair is in the store", async () => {
  const rig = createRig();
  const { coordinator } = rig.started();
  await rig.run(22);
  const stopped = coordinator.stop();
  await rig.run(1_000);
  await stopped;
  expect(rig.store.value).toContain("published");
  expect(rig.upstream.tokenCalls).toBe(1);
});
