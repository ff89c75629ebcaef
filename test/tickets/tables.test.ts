import { createSecretKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { deriveTimings, type TicketTimings, timingProblems } from "../../src/config/ticket-timings.ts";
import { codeEntry } from "../../src/domain/codes.ts";
import { isDerived, keyRing } from "../../src/domain/seal-keys.ts";
import { UpstreamError, type UpstreamFailure } from "../../src/errors.ts";
import { Secret } from "../../src/lib/redacted.ts";
import {
  abortAfter,
  type CallOutcome,
  callOutcome,
  type RetryContext,
} from "../../src/tickets/protocol/failed-call.ts";
import type { Operation } from "../../src/tickets/protocol/operations.ts";
import { type ReplicaFacts, refreshReason, waitMs } from "../../src/tickets/protocol/refresh-reason.ts";
import { EMPTY_STATE, type TicketState } from "../../src/tickets/protocol/state.ts";
import { transition } from "../../src/tickets/protocol/transition.ts";
import type { FailedCall } from "../../src/tickets/refresh-calls.ts";
import { createSealer } from "../../src/tickets/sealer.ts";

const MINUTE = 60_000;
const TIMINGS = deriveTimings({ refreshIntervalMs: 20 * MINUTE, tokenOverlapMs: MINUTE });
const NOW = 1_767_225_600_000;

describe("what a failed call says about the token", () => {
  test.each<[UpstreamFailure, string | undefined, CallOutcome]>([
    ["not_sent", undefined, "definite"],
    ["throttled", undefined, "throttled"],
    ["timeout", undefined, "unknown"],
    ["broken", undefined, "unknown"],
    ["status", undefined, "unknown"],
    ["malformed", undefined, "unknown"],
    ["too_large", undefined, "unknown"],
    ["aborted", undefined, "unknown"],
    ["code", "400101", "refused"],
    ["code", "400103", "refused"],
    ["code", "400104", "refused"],
    ["code", "66660001", "fatal"],
    ["code", "66660002", "fatal"],
    ["code", "400504", "throttled"],
    // What nobody knows may have rotated.
    ["code", "12345678", "unknown"],
    ["code", undefined, "unknown"],
  ])("a call that failed as %s, with code %s, is classified as %s", (failure, code, outcome) => {
    expect(
      callOutcome(
        new UpstreamError("access_token", failure, {
          entry: code === undefined ? undefined : codeEntry(code),
        }),
      ),
    ).toBe(outcome);
  });

  test.each([new Error("x"), new DOMException("late", "TimeoutError"), undefined, "text"])(
    "the unexpected error %s is classified as unknown",
    (error) => {
      expect(callOutcome(error)).toBe("unknown");
    },
  );
});

describe("when a refresh is needed", () => {
  const fine: ReplicaFacts = {
    opened: "ok",
    usable: true,
    ageMs: 0,
    dueMs: 20 * MINUTE,
    lifeMs: 60 * MINUTE,
  };
  const published = { generation: 5, sealed: "x", at: NOW };
  const full: TicketState = { ...EMPTY_STATE, granted: 5, published };
  const view = (state: TicketState, more = {}) => ({ state, now: NOW, requestedAt: 0, ...more });
  const none = { ...fine, opened: undefined, usable: false } as const;

  test.each<[string, ReturnType<typeof view>, Partial<ReplicaFacts>, ReturnType<typeof refreshReason>]>([
    ["nothing yet", view(EMPTY_STATE), none, "cold"],
    ["the store lost the pair that we have cached", view(EMPTY_STATE), { opened: undefined }, undefined],
    ["a fresh pair", view(full), {}, undefined],
    ["a millisecond before its time", view(full), { ageMs: 20 * MINUTE - 1 }, undefined],
    ["in time", view(full), { ageMs: 20 * MINUTE }, "age"],
    ["in doubt", view({ ...full, doubt: { upTo: 5, since: NOW } }), {}, "doubt"],
    ["a refresh that never reported", view({ ...full, intent: { generation: 6, at: NOW } }), {}, "intent"],
    ["a staged token", view({ ...full, stage: published }), {}, "stage"],
    ["expired, by our reckoning", view(full), { opened: "expired" }, "expired"],
    ["expired, with an older one cached", view(full), { opened: "expired", usable: true }, "expired"],
    ["damaged, with an older one cached", view(full), { opened: "tag" }, undefined],
    ["damaged, with nothing cached", view(full), { opened: "tag", usable: false }, "unreadable"],
    ["no pair of ours in it", view(full), { opened: "format", usable: false }, "unreadable"],
    [
      "sealed by another secret, nothing cached",
      view(full),
      { opened: "secret", usable: false },
      "unreadable",
    ],
    [
      "sealed with others' key",
      view(full),
      { opened: "key", usable: false, ageMs: 60 * MINUTE - 1 },
      undefined,
    ],
    [
      "sealed with others' key, and expired",
      view(full),
      { opened: "key", usable: false, ageMs: 60 * MINUTE },
      "unreadable",
    ],
    [
      "others' key, and a doubt",
      view({ ...full, doubt: { upTo: 5, since: NOW } }),
      { opened: "key", usable: false },
      undefined,
    ],
    ["of a later release", view(EMPTY_STATE, { flaw: "newer" }), none, undefined],
    ["corrupt", view(EMPTY_STATE, { flaw: "corrupt" }), none, "cold"],
  ])("the reason for a refresh is right: %s", (_what, seen, facts, reason) => {
    expect(refreshReason(seen as never, { ...fine, ...facts }, TIMINGS)).toBe(reason);
  });

  const lease = { holder: "a", until: NOW + 20_000, ms: 20_000 };
  const backoff = { until: NOW + 2_000, ms: 2_000 };
  test.each<[string, TicketState, boolean, number]>([
    ["nothing delays it", full, true, 0],
    ["a lease, until its end", { ...full, lease }, true, 20_000],
    ["a lease that is over", { ...full, lease: { ...lease, until: NOW } }, true, 0],
    ["a backoff", { ...full, backoff }, true, 2_000],
    ["a backoff of other credentials", { ...full, backoff: { ...backoff, of: "others" } }, true, 0],
    ["a backoff of ours", { ...full, backoff: { ...backoff, of: "ours" } }, true, 2_000],
    ["a doubt right after the commit: the floor", { ...full, doubt: { upTo: 5, since: NOW } }, false, 15_000],
    [
      "a doubt right after the commit, when the pair is due anyway",
      { ...full, doubt: { upTo: 5, since: NOW } },
      true,
      0,
    ],
    [
      "a doubt with a hold of its own",
      { ...full, doubt: { upTo: 5, since: NOW, hold: { until: NOW + 9, ms: 9 } } },
      false,
      9,
    ],
    [
      "a lease from before the clock went back: acquire at once, which cuts it",
      { ...full, lease: { ...lease, until: NOW + 7_200_000 } },
      true,
      0,
    ],
    [
      "a backoff from before the clock went back",
      { ...full, backoff: { ...backoff, until: NOW + 7_200_000 } },
      true,
      0,
    ],
  ])("the state delays a refresh as long as it should: %s", (_what, state, due, ms) => {
    expect(waitMs(view(state), "ours", due, TIMINGS)).toBe(ms);
  });
});

describe("single steps of the protocol", () => {
  const apply = (state: TicketState, operation: Operation, now = NOW) =>
    transition(state, operation, now, TIMINGS);
  const acquire = (holder: string, continues?: number): Operation => ({
    kind: "acquire",
    holder,
    expected: 0,
    atLeast: 0,
    due: true,
    continues,
    credentials: "ours",
  });
  const mine = { holder: "a", generation: NOW };
  // Made anew for each test, so that each shows by itself what it runs.
  const begun = () => apply(EMPTY_STATE, acquire("a"));
  const stagedBy = (first: ReturnType<typeof begun>) =>
    apply(first.state, { kind: "stage", ...mine, sealed: "token" });

  test("a lease comes with an intent, and its holder may repeat the request", () => {
    const first = begun();
    expect(first).toMatchObject({
      status: "ok",
      generation: NOW,
      state: { intent: { generation: NOW, at: NOW } },
    });
    expect(apply(first.state, acquire("a"))).toEqual({ ...first, generation: NOW });
    expect(apply(first.state, acquire("b")).status).toBe("busy");
  });

  test("a lease is short from the stage on, and staging twice does not prolong it", () => {
    const first = begun();
    const staged = stagedBy(first);
    expect(staged.state.lease).toEqual({ holder: "a", until: NOW + 2_000, ms: 2_000 });
    expect(apply(staged.state, { kind: "stage", ...mine, sealed: "token" }, NOW + 1_000).state).toBe(
      staged.state,
    );
  });

  test("successors continue a staged token repeatedly, without doubt", () => {
    const first = begun();
    const staged = stagedBy(first);
    let { state } = staged;
    for (let i = 1; i <= 5; i++) {
      const next = apply(state, acquire(`s${i}`, NOW), NOW + i * 12_000);
      expect(next).toMatchObject({ status: "ok", state: { stage: { generation: NOW } } });
      expect(next.state.doubt).toBeUndefined();
      ({ state } = next);
    }
  });

  test("a staged token that the successor cannot open is dropped, and leaves a doubt", () => {
    const first = begun();
    const staged = stagedBy(first);
    const { state } = apply(staged.state, acquire("b"), NOW + 12_000);
    expect(state.stage).toBeUndefined();
    expect(state.doubt).toMatchObject({ upTo: NOW });
    // So that it stays known when that successor fails without having rotated.
    const failed = apply(state, {
      kind: "abort",
      holder: "b",
      generation: NOW + 12_000,
      outcome: "clean",
      backoffMs: 0,
    });
    expect(failed.state.doubt).toMatchObject({ upTo: NOW });
  });

  test("a token that was to be kept but never reached the store leaves a doubt", () => {
    const first = begun();
    const staged = stagedBy(first);
    const kept = (state: TicketState) =>
      apply(state, { kind: "abort", ...mine, outcome: "keepstage", backoffMs: 0 }).state;
    expect(kept(first.state).doubt).toMatchObject({ upTo: NOW });
    expect(kept(staged.state)).toMatchObject({ stage: { sealed: "token" } });
    expect(kept(staged.state).doubt).toBeUndefined();
  });

  test("a holder that died between intent and report leaves a doubt that its successor's commit ends", () => {
    const first = begun();
    const { state } = apply(first.state, acquire("b"), NOW + 20_000);
    expect(state.doubt).toEqual({ upTo: NOW, since: NOW });
    const done = apply(
      state,
      { kind: "commit", holder: "b", generation: NOW + 20_000, sealed: "pair" },
      NOW + 20_500,
    );
    expect(done.state.doubt).toBeUndefined();
  });

  test("healing keeps a later refresh, waits out an earlier one, and ends the pair's own", () => {
    const first = begun();
    const heal = (generation: number): Operation => ({
      kind: "heal",
      generation,
      sealed: "old",
      at: NOW - 5,
    });
    const { lease, intent } = first.state;
    const published = { sealed: "old", at: NOW - 5 };
    expect(apply(first.state, heal(NOW - 1)).state).toMatchObject({ published, granted: NOW, lease, intent });
    expect(apply(first.state, heal(NOW)).state).toEqual({
      ...EMPTY_STATE,
      published: { generation: NOW, ...published },
      granted: NOW,
    });
    const newer = apply(first.state, heal(NOW + 1)).state;
    expect(newer).toMatchObject({ published, granted: NOW + 1, lease });
    expect(newer.intent).toBeUndefined();
    expect(apply(newer, heal(NOW)).status).toBe("noop");
  });

  test("refusals cause three rotations at once, then ever rarer ones, and at most seven in an hour", () => {
    const first = begun();
    const staged = stagedBy(first);
    const waits: number[] = [];
    let [state, now] = [apply(staged.state, { kind: "commit", ...mine, sealed: "pair" }).state, NOW];
    for (let i = 0; i < 8; i++) {
      const generation = state.published!.generation;
      const refused = apply(state, { kind: "invalidate", generation, by: "refusal" }, now);
      const hold = refused.state.doubt?.hold;
      waits.push(Math.round(Math.max(0, hold!.until - now) / 1_000));
      now = Math.max(now, hold!.until);
      const granted = apply(
        refused.state,
        { ...acquire("a"), expected: generation, due: false } as Operation,
        now,
      );
      const { state: next } = apply(
        granted.state,
        { kind: "commit", holder: "a", generation: granted.generation!, sealed: "pair" },
        now,
      );
      state = next;
      now += 5_000;
    }
    // From the fourth on the floor doubles, and 5 s of it are over; the seventh waits until the first is an hour old.
    expect(waits).toEqual([0, 0, 0, 10, 25, 55, 3_480, 55]);
  });
});

describe("how a failed refresh reports", () => {
  const circumstances: RetryContext = {
    failures: 0,
    urgent: false,
    credentials: "ours",
    spentMs: 0,
    timings: TIMINGS,
    random: () => 1,
  };
  test.each<[FailedCall["failed"], Partial<RetryContext>, object]>([
    ["unknown", {}, { outcome: "unknown", backoffMs: 3_000, insistMs: 60_000 }],
    ["unknown", { spentMs: 6_000 }, { outcome: "unknown", backoffMs: 3_000 }],
    ["unknown", { spentMs: 7_000 }, { outcome: "unknown", backoffMs: 3_000 }],
    ["unknown", { spentMs: 7_001 }, { outcome: "unknown", backoffMs: 6_000 }],
    ["unknown", { failures: 9, spentMs: 13_400 }, { outcome: "unknown", backoffMs: 6_000 }],
    ["unknown", { failures: 9 }, { outcome: "unknown", backoffMs: 3_000 }],
    ["unknown", { failures: 9, spentMs: 1_000 }, { outcome: "unknown", backoffMs: 2_000 }],
    ["unknown", { failures: 9, spentMs: 6_000 }, { outcome: "unknown", backoffMs: 500 }],
    ["definite", {}, { outcome: "clean", backoffMs: 2_000 }],
    ["definite", { failures: 2 }, { outcome: "clean", backoffMs: 8_000 }],
    ["definite", { failures: 9 }, { outcome: "clean", backoffMs: 60_000 }],
    ["definite", { failures: 9, urgent: true }, { outcome: "clean", backoffMs: 10_000 }],
    ["definite", { random: () => 0 }, { outcome: "clean", backoffMs: 1_000 }],
    ["throttled", {}, { outcome: "clean", backoffMs: 60_000 }],
    ["throttled", { failures: 9 }, { outcome: "clean", backoffMs: 600_000 }],
    ["fatal", {}, { outcome: "clean", backoffMs: 60_000, of: "ours" }],
    ["refused", { failures: 9 }, { outcome: "clean", backoffMs: 300_000, of: "ours" }],
    ["late", {}, { outcome: "clean", backoffMs: 0 }],
  ])(
    "a refresh whose token call failed as %s reports delay and outcome, given %o",
    (failed, more, report) => {
      expect(abortAfter({ failed }, { ...circumstances, ...more })).toMatchObject(report);
    },
  );
});

describe("the timings that the service starts with", () => {
  test.each([
    [20 * MINUTE, MINUTE],
    [6_000, 6_000],
    [20_000, 500],
    [28 * MINUTE, MINUTE],
  ])("an interval of %i ms with an overlap of %i ms is accepted", (refreshIntervalMs, tokenOverlapMs) => {
    expect(timingProblems(deriveTimings({ refreshIntervalMs, tokenOverlapMs }))).toEqual([]);
  });

  test("timings are whole milliseconds, whatever the overlap: a state with anything else is corrupt", () => {
    for (let tokenOverlapMs = 500; tokenOverlapMs < 3_000; tokenOverlapMs++) {
      const timings = deriveTimings({ refreshIntervalMs: 20_000, tokenOverlapMs });
      const fractions = Object.entries(timings)
        .flatMap(([, value]) => (typeof value === "object" ? Object.values(value) : value))
        .filter((value) => !Number.isSafeInteger(value));
      expect(fractions).toEqual([]);
    }
  });

  test.each<[string, number, number, string]>([
    ["shorter than a lease and a poll", 19_499, MINUTE, "at least 19.5s"],
    ["no time left to repair", 28 * MINUTE + 15_001, MINUTE, "at most 1695s"],
    ["an overlap in which no call can be made", 20_000, 499, "at least 500ms"],
  ])("an interval is refused: %s", (_what, refreshIntervalMs, tokenOverlapMs, words) => {
    expect(timingProblems(deriveTimings({ refreshIntervalMs, tokenOverlapMs })).join()).toContain(words);
  });

  test.each<[keyof TicketTimings, number, string]>([
    ["leaseMs", 13_000, "fine"],
    ["leaseMs", 12_999, "must fit the lease"],
    ["storeTimeoutMs", 1_751, "two answers of the store"],
    ["ticketPatienceMs", 4_000, "fine"],
    ["ticketPatienceMs", 3_999, "the time for the ticket"],
    ["silenceMs", 1_500, "fine"],
    ["silenceMs", 1_499, "three beats"],
    ["silenceMs", 13_501, "that the lease"],
    ["pollMs", 30_415, "fine"],
    ["pollMs", 30_418, "replaced within TOKEN_OVERLAP"],
    ["tokenTimeoutMs", 12_001, "four token calls"],
    ["floorMs", 2_999, "floor"],
    ["floorMs", 30_000, "floor"],
    ["floorMs", 29_999, "fine"],
  ])("timings with %s of %i give: %s", (name, ms, words) => {
    const problems = timingProblems({ ...TIMINGS, [name]: ms });
    if (words === "fine") expect(problems).toEqual([]);
    else expect(problems.join()).toContain(words);
  });
});

describe("the envelope", () => {
  const identity = { generation: 7, kind: "pair" } as const;
  const key = (id: string, fill: number) => ({ id, key: createSecretKey(new Uint8Array(32).fill(fill)) });

  test("a sealer seals with the first key and opens with any, as keys are added, reordered and removed", () => {
    const old = createSealer("app", () => [key("a", 1)]);
    const both = createSealer("app", () => [key("a", 1), key("b", 2)]);
    const turned = createSealer("app", () => [key("b", 2), key("a", 1)]);
    const next = createSealer("app", () => [key("b", 2)]);
    const byOld = old.seal("x", identity);
    expect(byOld.split(".").slice(0, 2)).toEqual(["1", "a"]);
    expect(turned.open(byOld, identity).ok).toBe(true);
    const byTurned = turned.seal("x", identity);
    expect([both, turned, next].every((sealer) => sealer.open(byTurned, identity).ok)).toBe(true);
    expect(old.open(byTurned, identity)).toEqual({ ok: false, why: "key" });
    expect(next.open(byOld, identity)).toEqual({ ok: false, why: "key" });
  });

  test("a text sealed with another key of the same name fails by its tag", () => {
    const sealed = createSealer("app", () => [key("a", 1)]).seal("x", identity);
    expect(createSealer("app", () => [key("a", 2)]).open(sealed, identity)).toEqual({
      ok: false,
      why: "tag",
    });
  });

  test("with keys derived from secrets, a sealer uses that of the secret in use, and detects a foreign secret", () => {
    const [one, two] = [new Secret("one"), new Secret("two")];
    const ring = keyRing(undefined, [one, two]);
    expect(ring.every(({ id }) => isDerived(id))).toBe(true);
    const sealed = createSealer("app", () => ring).seal("x", identity, two);
    expect(createSealer("app", () => keyRing(undefined, [two])).open(sealed, identity).ok).toBe(true);
    expect(createSealer("app", () => keyRing(undefined, [one])).open(sealed, identity)).toEqual({
      ok: false,
      why: "secret",
    });
  });

  test("an envelope of another version or form does not open", () => {
    const sealer = createSealer("app", () => [key("a", 1)]);
    const [, ...parts] = sealer.seal("x", identity).split(".");
    for (const text of [["2", ...parts].join("."), "", "1", "1.a", `1.${parts.join(".")}.more`]) {
      expect(sealer.open(text, identity)).toEqual({ ok: false, why: "format" });
    }
  });

  test("a sealed text reveals nothing of its content, and never repeats", () => {
    const sealer = createSealer("app", () => [key("a", 1)]);
    const plain = "access token, ticket";
    const sealed = sealer.seal(plain, identity);
    expect(sealed).not.toContain(plain);
    expect(Buffer.from(sealed.split(".")[4]!, "base64url").toString("latin1")).not.toContain("token");
    expect(sealer.seal(plain, identity)).not.toBe(sealed);
  });
});
