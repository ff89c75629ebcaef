import { describe, expect, test } from "vitest";
import { codeEntry } from "../../src/domain/codes.ts";
import { UpstreamError } from "../../src/errors.ts";
import { Secret } from "../../src/lib/redacted.ts";
import { invalidate } from "../../src/tickets/protocol/doubt.ts";
import type { Operation } from "../../src/tickets/protocol/operations.ts";
import { EMPTY_STATE, type TicketState } from "../../src/tickets/protocol/state.ts";
import { transition } from "../../src/tickets/protocol/transition.ts";
import { createRefreshCalls } from "../../src/tickets/refresh-calls.ts";
import { createSharedState } from "../../src/tickets/shared-state.ts";
import { planSoloRefresh } from "../../src/tickets/solo-refresh.ts";
import { createRig, MINUTE, TIMINGS } from "./rig.ts";

// Rules that a wrong version of once passed all tests: `npm run mutate` finds those, and each has its case here.

const NOW = 1_767_225_600_000;
const HOUR = 60 * MINUTE;
const never = new AbortController().signal;

const apply = (state: TicketState, operation: Operation, now = NOW) =>
  transition(state, operation, now, TIMINGS);
const acquire = (holder: string, more: Partial<Extract<Operation, { kind: "acquire" }>> = {}): Operation => ({
  kind: "acquire",
  holder,
  expected: 0,
  atLeast: 0,
  due: true,
  continues: undefined,
  credentials: "ours",
  ...more,
});
const published = { generation: 6, sealed: "x", at: NOW };
const full: TicketState = { ...EMPTY_STATE, granted: 6, published };

describe("requests for a lease", () => {
  test("a replica that wants to replace a pair already replaced gets no lease", () => {
    expect(apply(full, acquire("a", { expected: 5 })).status).toBe("moved");
    expect(apply(full, acquire("a", { expected: 6 })).status).toBe("ok");
  });

  test("a doubted pair is not replaced before the floor after its commit, to the millisecond", () => {
    const doubtful = { ...full, doubt: { upTo: 6, since: NOW } };
    const asks = acquire("a", { expected: 6, due: false });
    expect(apply(doubtful, asks, NOW + TIMINGS.floorMs - 1).status).toBe("backoff");
    expect(apply(doubtful, asks, NOW + TIMINGS.floorMs).status).toBe("ok");
    expect(apply(doubtful, acquire("a", { expected: 6 }), NOW + 1).status).toBe("ok");
  });

  test("a commit from the future imposes no floor", () => {
    const future = {
      ...full,
      published: { ...published, at: NOW + 2 * HOUR },
      doubt: { upTo: 6, since: NOW },
    };
    expect(apply(future, acquire("a", { expected: 6, due: false })).status).toBe("ok");
  });

  test("a backoff binds only replicas with the same credentials", () => {
    const backoff = { until: NOW + MINUTE, ms: MINUTE, of: "others" };
    expect(apply({ ...EMPTY_STATE, backoff }, acquire("a")).status).toBe("ok");
    expect(apply({ ...EMPTY_STATE, backoff: { ...backoff, of: "ours" } }, acquire("a")).status).toBe(
      "backoff",
    );
  });

  test("no generation is granted twice, whatever the clock does", () => {
    const first = apply(EMPTY_STATE, acquire("a"));
    const generation = first.generation ?? 0;
    const given = apply(first.state, {
      kind: "abort",
      holder: "a",
      generation,
      outcome: "clean",
      backoffMs: 0,
    });
    expect(apply(given.state, acquire("b"), NOW - 1_000).generation).toBe(generation + 1);
  });

  test("every hold is cut to its own duration after the clock went back", () => {
    const back = NOW - 2 * HOUR;
    const hold = (ms: number) => ({ until: NOW + ms, ms });
    const state: TicketState = {
      ...full,
      published: { ...published, at: back - MINUTE },
      lease: { holder: "z", ...hold(13_000) },
      backoff: hold(40_000),
      doubt: { upTo: 6, since: NOW, hold: hold(15_000) },
    };
    const asks = acquire("a", { expected: 6, due: false });
    const cut = apply(state, asks, back);
    expect(cut).toMatchObject({
      status: "busy",
      state: {
        lease: { until: back + 13_000 },
        backoff: { until: back + 40_000 },
        doubt: { since: back, hold: { until: back + 15_000 } },
      },
    });
    expect(apply(cut.state, asks, back + 39_999).status).toBe("backoff");
    expect(apply(cut.state, asks, back + 40_000).status).toBe("ok");
    const { lease: _lease, backoff: _backoff, ...doubtOnly } = state;
    const waiting = apply(doubtOnly, asks, back);
    expect(waiting.status).toBe("backoff");
    expect(apply(waiting.state, asks, back + 15_000).status).toBe("ok");
  });
});

describe("what is in doubt stays in doubt", () => {
  const mine = { holder: "a", generation: NOW };
  const stagedState = () =>
    apply(apply(EMPTY_STATE, acquire("a")).state, { kind: "stage", ...mine, sealed: "token" }).state;

  test("a staged token that a younger doubt covers is not continued", () => {
    const staged = stagedState();
    const doubted = apply(staged, { kind: "orphan" }, NOW + 1).state;
    const next = apply(doubted, acquire("b", { continues: mine.generation }), NOW + 30_000);
    expect(next.status).toBe("ok");
    expect(next.state.stage).toBeUndefined();
  });

  test("a staged token that the vendor refuses leaves a doubt", () => {
    const staged = stagedState();
    const { state } = apply(staged, { kind: "abort", ...mine, outcome: "badstage", backoffMs: 0 });
    expect(state.stage).toBeUndefined();
    expect(state.doubt).toMatchObject({ upTo: mine.generation });
  });

  test("a doubt never shrinks, and keeps its beginning", () => {
    const state: TicketState = {
      ...EMPTY_STATE,
      granted: 20,
      doubt: { upTo: 20, since: NOW - 5 },
      intent: { generation: 10, at: NOW },
    };
    expect(apply(state, acquire("a")).state.doubt).toEqual({ upTo: 20, since: NOW - 5 });
  });

  test("a superseded holder does not shorten the wait of others", () => {
    const backoff = { until: NOW + MINUTE, ms: MINUTE };
    const late: Operation = {
      kind: "abort",
      holder: "x",
      generation: 3,
      outcome: "unknown",
      backoffMs: 3_000,
    };
    expect(apply({ ...EMPTY_STATE, granted: 9, backoff }, late).state.backoff).toEqual(backoff);
    expect(apply({ ...EMPTY_STATE, granted: 9 }, late).state.backoff).toEqual({
      until: NOW + 3_000,
      ms: 3_000,
    });
  });

  test("healing keeps the stage of a later refresh", () => {
    const staged = stagedState();
    const healed = apply(staged, { kind: "heal", generation: NOW - 1, sealed: "old", at: NOW - 5 }).state;
    expect(healed.stage).toEqual(staged.stage);
  });

  test("healing keeps the lease of a later refresh", () => {
    const staged = stagedState();
    const healed = apply(staged, { kind: "heal", generation: NOW - 1, sealed: "old", at: NOW - 5 }).state;
    expect(healed.lease).toEqual(staged.lease);
  });
});

describe("a lease, while it lives", () => {
  const mine = { holder: "a", generation: NOW };
  const begun = () => apply(EMPTY_STATE, acquire("a", { process: "p" })).state;
  const staged = () => apply(begun(), { kind: "stage", ...mine, sealed: "token" }).state;

  test("a lease is renewed only by its holder, for what can still follow, and never shortened", () => {
    const renew: Operation = { kind: "renew", ...mine };
    const leaseOf = (ms: number, now: number) => ({ holder: "a", until: now + ms, ms, process: "p" });
    expect(apply(begun(), renew, NOW + 500).state.lease).toEqual(leaseOf(TIMINGS.leaseMs, NOW + 500));
    expect(apply(staged(), renew, NOW + 500).state.lease).toEqual(leaseOf(TIMINGS.silenceMs, NOW + 500));
    const state = staged();
    expect(apply(state, renew, NOW - 1)).toEqual({ state, status: "ok" });
    for (const other of [{ holder: "b" }, { generation: NOW - 1 }]) {
      expect(apply(state, { ...renew, ...other }, NOW + 500)).toEqual({ state, status: "fenced" });
    }
    expect(apply(EMPTY_STATE, renew)).toEqual({ state: EMPTY_STATE, status: "fenced" });
  });

  test("a dead holder's lease ends at once if its token is staged, otherwise when its call can no longer be in flight", () => {
    const bury: Operation = { kind: "bury", ...mine };
    const { lease: _lease, ...left } = staged();
    expect(apply(staged(), bury, NOW + 500)).toEqual({ state: left, status: "ok" });
    const waits = (after: number) => apply(begun(), bury, NOW + after).state.backoff?.ms;
    expect(waits(500)).toBe(TIMINGS.tokenTimeoutMs);
    expect(waits(8_000)).toBe(TIMINGS.leaseMs - TIMINGS.marginMs - 8_000);
    expect(waits(12_000)).toBe(0);
    expect(apply(begun(), bury, NOW + 500).state.intent).toEqual(begun().intent);
    for (const other of [{ holder: "b" }, { generation: NOW - 1 }]) {
      const state = begun();
      expect(apply(state, { ...bury, ...other })).toEqual({ state, status: "noop" });
    }
    expect(apply(EMPTY_STATE, bury)).toEqual({ state: EMPTY_STATE, status: "noop" });
  });
});

describe("an operator's doubt", () => {
  const wants: Operation = { kind: "invalidate", generation: 6, by: "operator" };

  test("an operator's doubt waits for the floor after the commit and no longer, and counts once", () => {
    const { state, status } = apply(full, wants, NOW + 5_000);
    const hold = { until: NOW + TIMINGS.floorMs, ms: TIMINGS.floorMs - 5_000 };
    expect([status, state.doubt]).toEqual(["ok", { upTo: 6, since: NOW + 5_000, hold, by: "operator" }]);
    expect(apply(state, wants, NOW + 6_000)).toEqual({ state, status: "noop" });
    expect(apply(full, { ...wants, generation: 5 }).status).toBe("noop");
  });

  test("an operator's doubt replaces a refusal's wait, but a refusal does not replace an operator's", () => {
    const refused = { ...full, doubt: { upTo: 6, since: NOW, hold: { until: NOW + HOUR, ms: HOUR } } };
    const { state } = apply(refused, wants, NOW + MINUTE);
    expect(state.doubt).toEqual({
      upTo: 6,
      since: NOW,
      hold: { until: NOW + MINUTE, ms: 0 },
      by: "operator",
    });
    expect(apply(state, { ...wants, by: "refusal" }, NOW + MINUTE).status).toBe("noop");
  });
});

describe("rotations after refusals", () => {
  const refused = (forced: number[], at = NOW) =>
    invalidate({ ...full, forced }, { kind: "invalidate", generation: 6, by: "refusal" }, at, TIMINGS).state;

  test.each([
    [0, 0],
    [2, 0],
    [3, 15_000],
    [4, 30_000],
    [5, 60_000],
  ])("after %i rotations for refusals within the hour the next waits %i ms from the commit", (before, ms) => {
    const forced = Array.from({ length: before }, (_, i) => NOW - 10 + i);
    expect(refused(forced).doubt?.hold).toEqual({ until: NOW + ms, ms });
    // Time since the commit counts.
    expect(refused(forced, NOW + 5_000).doubt?.hold?.ms).toBe(Math.max(0, ms - 5_000));
  });

  test("the seventh rotation for a refusal waits until the first is an hour old; older ones do not count", () => {
    const forced = Array.from({ length: 6 }, (_, i) => NOW - 10 * MINUTE + i);
    expect(refused(forced).doubt?.hold?.ms).toBe(50 * MINUTE);
    expect(refused(forced.map((at) => at - 51 * MINUTE)).doubt?.hold?.ms).toBe(0);
    expect(refused(forced).forced).toEqual([...forced, NOW]);
  });

  test("a manually edited list of refusals causes no wait that the state cannot represent", () => {
    const state = refused(Array.from({ length: 2_000 }, () => NOW - 1));
    expect(state.doubt?.hold?.ms).toBe(HOUR - 1);
    expect(state.forced).toHaveLength(7);
  });
});

describe("a pair ends, and is as old, as it really is", () => {
  test("a pair ends with the earlier of token and ticket, for its owner and for a replica that adopts it", async () => {
    const rig = createRig();
    const real = rig.client.fetchAccessToken;
    rig.client.fetchAccessToken = async (secret, signal) => ({
      ...(await real(secret, signal)),
      lifeMs: 40 * MINUTE,
    });
    const owner = rig.started();
    await rig.run(2_000);
    const other = rig.started({ refreshes: false });
    await rig.run(10_000);
    for (const { coordinator } of [owner, other]) {
      expect(coordinator.operator.status().hardLimitInMs).toBeLessThan(39 * MINUTE);
    }
  });

  test("a replica that adopts a pair knows its age as well as its owner does", async () => {
    const rig = createRig();
    const owner = rig.started();
    await rig.run(10 * MINUTE);
    const other = rig.started({ refreshes: false });
    await rig.run(10_000);
    const [a, b] = [owner, other].map(({ coordinator }) => coordinator.operator.status());
    for (const age of ["hardLimitInMs", "tokenAgeMs", "signAgeMs", "ageMs"] as const) {
      expect(Math.abs((a?.[age] ?? 0) - (b?.[age] ?? 0)), age).toBeLessThan(2_000);
    }
  });

  test("a pair built on a token staged long before is as old as that token", async () => {
    const rig = createRig();
    const real = rig.client.fetchSignTicket;
    rig.client.fetchSignTicket = () => new Promise(() => undefined);
    const first = rig.started();
    await rig.run(300);
    first.life.crash();
    await rig.run(30 * MINUTE);
    rig.client.fetchSignTicket = real;
    const { coordinator } = rig.started();
    await rig.run(1_000);
    expect(rig.upstream.tokenCalls).toBe(1);
    const { tokenAgeMs, signAgeMs } = coordinator.operator.status();
    expect((tokenAgeMs ?? 0) / MINUTE).toBeCloseTo(30, 0);
    expect(signAgeMs).toBeLessThan(2_000);
  });

  test("a healed record keeps its age", async () => {
    const rig = createRig();
    rig.started();
    await rig.run(10 * MINUTE);
    rig.store.wipe();
    await rig.run(15_000);
    const other = rig.started({ refreshes: false });
    await rig.run(10_000);
    expect(other.coordinator.operator.status().ageMs).toBeGreaterThan(9 * MINUTE);
  });

  test("an expired pair is not restored to the store", async () => {
    const rig = createRig();
    const reader = rig.started({ refreshes: false });
    const refresher = rig.started();
    await rig.run(7_000);
    await refresher.coordinator.stop();
    await rig.run(61 * MINUTE);
    rig.store.wipe();
    await rig.run(30_000);
    expect(reader.told.filter(({ event }) => event === "pairHealed")).toEqual([]);
  });
});

describe("calls and writes that must not be made", () => {
  const count = { token: 0, ticket: 0 };
  function calls() {
    const rig = createRig();
    const { life } = rig.replica();
    Object.assign(count, { token: 0, ticket: 0 });
    const made = createRefreshCalls({
      secrets: () => [new Secret("s")],
      clock: life.clock,
      timings: TIMINGS,
      upstream: {
        fetchAccessToken: async () => {
          count.token++;
          return { value: new Secret("t"), lifeMs: 1 };
        },
        fetchSignTicket: async () => {
          count.ticket++;
          throw new UpstreamError("sign_ticket", "code", { entry: codeEntry("400104") });
        },
      },
    });
    return { rig, life, ...made };
  }

  test("a token call that would outlast the lease is not made", async () => {
    const made = calls();
    const ends = made.life.clock.monotonic() + TIMINGS.tokenTimeoutMs;
    expect(await made.token(undefined, ends - 1, async () => ends)).toEqual({ failed: "late" });
    expect(count.token).toBe(0);
    expect(await made.token(undefined, ends, async () => ends)).toHaveProperty("value");
  });

  test("a ticket is not requested again for a token that the vendor refuses", async () => {
    const made = calls();
    const refused = made.signTicket(new Secret("t"), made.life.clock.monotonic() + MINUTE);
    await made.rig.run(MINUTE);
    expect(await refused).toMatchObject({ failed: "refused" });
    expect(count.ticket).toBe(1);
  });

  test("a solo refresh is not planned while another's lease lives", () => {
    const view = {
      state: { ...EMPTY_STATE, granted: 5, lease: { holder: "z", until: NOW + 9_000, ms: 13_000 } },
      now: NOW,
      requestedAt: 0,
    };
    const at = (ms: number) => planSoloRefresh(view, undefined, { now: () => NOW, monotonic: () => ms });
    expect(at(8_999)).toBe("another process may be refreshing");
    expect(at(9_000)).toMatchObject({ generation: NOW + 9_000, storeNow: NOW + 9_000 });
  });

  test("a later release's state is never overwritten", async () => {
    const rig = createRig();
    const later = JSON.stringify({ schema: 2, anything: true });
    rig.store.compareAndSet(rig.store.read().version, later);
    const { life } = rig.replica();
    const register = createSharedState(rig.storeClient(life), life.clock, TIMINGS, transition);
    const refused = expect(register.apply({ kind: "orphan" })).rejects.toThrow("later release");
    await rig.run(1_000);
    await refused;
    expect(rig.store.value).toBe(later);
  });

  test("a token call with a second secret is not made if the lease was lost meanwhile", async () => {
    const rig = createRig();
    const secrets = [new Secret("old"), new Secret("next")];
    const tried: string[] = [];
    rig.client.fetchAccessToken = async (secret) => {
      tried.push(secret.reveal());
      // Somebody else gets the lease while this call is under way.
      const state = JSON.parse(rig.store.value ?? "") as TicketState;
      const granted = state.granted + 1;
      const lease = { holder: "other", until: rig.store.now() + 13_000, ms: 13_000 };
      rig.store.compareAndSet(rig.store.read().version, JSON.stringify({ ...state, granted, lease }));
      throw new UpstreamError("access_token", "code", { entry: codeEntry("400101") });
    };
    rig.started({ secrets: () => secrets });
    await rig.run(5_000);
    expect(tried).toEqual(["old"]);
  });
});

describe("what must not take long", () => {
  test("delays are short once the pair is nearly over", async () => {
    const rig = createRig();
    const { refreshes } = rig.started();
    await rig.run(1_000);
    rig.client.fetchAccessToken = () => Promise.reject(new UpstreamError("access_token", "not_sent"));
    await rig.run(50 * MINUTE);
    const before = refreshes.length;
    await rig.run(5 * MINUTE);
    expect(refreshes.length - before).toBeGreaterThan(20);
  });

  test("after a suspension a reader's pair is stale until the store is polled", async () => {
    const rig = createRig();
    const { coordinator, life } = rig.started();
    await rig.run(10_000);
    expect(coordinator.tickets.isStale()).toBe(false);
    life.pause(MINUTE);
    await rig.run(MINUTE - 1);
    expect(coordinator.tickets.isStale()).toBe(true);
  });

  test("a lease whose first response is lost is requested again at once, under the same name", async () => {
    const rig = createRig();
    const { life } = rig.replica();
    const inner = rig.storeClient(life);
    let writes = 0;
    const store = {
      ...inner,
      async compareAndSet(version: string, value: string) {
        const done = await inner.compareAndSet(version, value);
        if (++writes === 1) throw new Error("the answer is lost");
        return done;
      },
    };
    const { refreshes } = rig.started({ store });
    await rig.run(1_000);
    expect(refreshes).toMatchObject([{ outcome: "ok" }]);
    expect(rig.upstream.tokenCalls).toBe(1);
  });

  test("a pair is safe only for the overlap once a rotation is expected", async () => {
    const rig = createRig();
    const { coordinator, life } = rig.started();
    await rig.run(MINUTE);
    const { tickets, operator } = coordinator;
    const pair = tickets.current();
    const sureMs = () => tickets.safeUntil(pair) - life.clock.monotonic();
    expect(sureMs()).toBeGreaterThan(19 * MINUTE);
    rig.client.fetchAccessToken = () => Promise.reject(new UpstreamError("access_token", "not_sent"));
    void operator.forceRefresh(false, never).catch(() => undefined);
    await rig.run(20_000);
    expect(sureMs()).toBeLessThanOrEqual(MINUTE);
  });
});
