import { createSecretKey } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Operation, Transition } from "../../src/tickets/protocol/operations.ts";
import { EMPTY_STATE, parseState, SCHEMA, type TicketState } from "../../src/tickets/protocol/state.ts";
import { transition } from "../../src/tickets/protocol/transition.ts";
import { createSealer } from "../../src/tickets/sealer.ts";
import { createSharedState } from "../../src/tickets/shared-state.ts";
import { brokenByWrite } from "../simulation/checks.ts";
import { createRig, MINUTE, TIMINGS } from "./rig.ts";

const START = 1_767_225_600_000;

/** Generations that mean something by the time they are used: how far below the newest granted one. */
type Step = { tick: number; holder: string; kind: Operation["kind"]; back: number; flag: number };

const often = <T>(weight: number, ...values: T[]) => ({ weight, arbitrary: fc.constantFrom(...values) });
/** Mostly a refresh as it should be, and now and then anything. */
const step: fc.Arbitrary<Step> = fc.record({
  tick: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 30_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: -7_200_000, max: 7_200_000 }) },
  ),
  holder: fc.oneof(often(3, "a"), often(1, "b", "c")),
  kind: fc.oneof(
    often<Operation["kind"]>(4, "acquire"),
    often<Operation["kind"]>(6, "stage", "commit", "abort"),
    often<Operation["kind"]>(2, "orphan", "invalidate", "heal", "renew", "bury"),
  ),
  back: fc.oneof(often(5, 0), often(1, 1, 2)),
  flag: fc.nat(7),
});

const OUTCOMES = ["clean", "unknown", "keepstage", "badstage"] as const;

function operationOf({ holder, kind, back, flag }: Step, state: TicketState, now: number): Operation {
  const generation = Math.max(0, state.granted - back);
  const published = state.published?.generation ?? 0;
  switch (kind) {
    case "acquire":
      return {
        kind,
        holder,
        expected: Math.max(0, published - back),
        atLeast: published + (flag === 7 ? 5 : 0),
        due: flag % 2 === 0,
        continues: flag > 3 ? state.stage?.generation : undefined,
        credentials: flag === 1 ? "other" : "ours",
      };
    case "stage":
      return { kind, holder, generation, sealed: `stage of ${generation} by ${holder}` };
    case "commit":
      return { kind, holder, generation, sealed: `pair of ${generation} by ${holder}` };
    case "abort":
      return {
        kind,
        holder,
        generation,
        outcome: OUTCOMES[flag % 4]!,
        backoffMs: flag * 1_000,
        ...(flag === 5 && { of: "ours" }),
      };
    case "orphan":
      return { kind };
    case "renew":
    case "bury":
      return { kind, holder, generation };
    case "invalidate":
      return { kind, generation: Math.max(0, published - back), by: flag > 3 ? "operator" : "refusal" };
    case "heal":
      return { kind, generation: generation + flag - 3, sealed: "healed", at: now };
  }
}

/** Plays a history and looks at every step of it. */
function play(
  steps: readonly Step[],
  look: (before: TicketState, operation: Operation, done: Transition, now: number) => void,
): void {
  let [state, now] = [EMPTY_STATE, START];
  for (const each of steps) {
    now += each.tick;
    const operation = operationOf(each, state, now);
    const done = transition(state, operation, now, TIMINGS);
    look(state, operation, done, now);
    state = done.state;
  }
}

const histories = fc.array(step, { minLength: 1, maxLength: 60 });

function holds<T>(property: fc.IProperty<T>): void {
  fc.assert(property, { numRuns: 3_000 });
}

describe("whatever happens, in whatever order, on a clock that jumps", () => {
  test("generations rise, one lease lives, no lease is without intent, no doubt is forgotten (1, 4, 5, 8)", () => {
    let [granted, committed] = [0, 0];
    holds(
      fc.property(histories, (steps) => {
        const given = new Set<number>();
        play(steps, (before, operation, done, now) => {
          expect(brokenByWrite(before, done.state, now)).toEqual([]);
          const { lease } = before;
          // The holder who asks again gets its own number; every other must be a new one.
          const again =
            operation.kind === "acquire" && lease?.holder === operation.holder && lease.until > now;
          if (operation.kind === "acquire" && done.status === "ok" && !again) {
            granted++;
            expect(given).not.toContain(done.generation);
            given.add(done.generation ?? 0);
            expect(done.generation).toBeGreaterThan(before.granted);
            expect(done.generation).toBeGreaterThan(operation.atLeast);
            expect(done.generation).toBeGreaterThanOrEqual(now);
          }
          if (operation.kind === "commit" && done.status === "ok" && done.state !== before) committed++;
        });
      }),
    );
    // Or the histories were too dull to show anything.
    expect(granted).toBeGreaterThan(3_000);
    expect(committed).toBeGreaterThan(300);
  });

  test("a caller that is not the holder changes only doubt and backoff (4)", () => {
    let fenced = 0;
    holds(
      fc.property(histories, (steps) => {
        play(steps, (before, _operation, { state, status }) => {
          if (status !== "fenced") return;
          fenced++;
          expect({ ...state, doubt: undefined, backoff: undefined }).toEqual({
            ...before,
            doubt: undefined,
            backoff: undefined,
          });
        });
      }),
    );
    expect(fenced).toBeGreaterThan(3_000);
  });

  test("an operation done twice counts once (10)", () => {
    holds(
      fc.property(histories, (steps) => {
        play(steps, (_before, operation, { state, status }, now) => {
          const again = transition(state, operation, now, TIMINGS);
          // The second report of a call that may still arrive finds its lease gone, and is doubt once more.
          const late = operation.kind === "abort" && operation.outcome === "unknown";
          if (late)
            expect({ ...again.state, doubt: undefined, backoff: undefined }).toEqual({
              ...state,
              doubt: undefined,
              backoff: undefined,
            });
          else expect(again.state).toEqual(state);
          if (operation.kind === "acquire" || operation.kind === "commit") expect(again.status).toBe(status);
        });
      }),
    );
  });

  test("after any history, repeated requests lead to a lease within the longest wait", () => {
    holds(
      fc.property(histories, fc.integer({ min: -7_200_000, max: 7_200_000 }), (steps, jump) => {
        let last: { state: TicketState; now: number } = { state: EMPTY_STATE, now: START };
        play(steps, (_before, _operation, { state }, now) => {
          last = { state, now };
        });
        // Asking again and again, and nothing else, must lead to a lease within the longest wait.
        let { state, now } = last;
        now += jump;
        const expected = () => state.published?.generation ?? 0;
        const longestMs = TIMINGS.forcedWindowMs + TIMINGS.slowBackoffMs.max + TIMINGS.leaseMs;
        for (const end = now + longestMs; ; now += TIMINGS.pollMs) {
          const acquire = {
            kind: "acquire",
            holder: "d",
            expected: expected(),
            atLeast: 0,
            due: true,
          } as const;
          const done = transition(
            state,
            { ...acquire, continues: undefined, credentials: "ours" },
            now,
            TIMINGS,
          );
          state = done.state;
          if (done.status === "ok") break;
          expect(now).toBeLessThan(end);
        }
      }),
    );
  });

  test("a state survives being written and read", () => {
    holds(
      fc.property(histories, (steps) => {
        play(steps, (_before, _operation, { state }) => {
          expect(parseState(JSON.stringify(state))).toEqual(state);
        });
      }),
    );
  });
});

describe("hostile bytes in the store (9)", () => {
  const nasty = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.json(),
    fc.constantFrom("", "null", "[]", "{}", '{"schema":1}', `{"schema":${SCHEMA + 1}}`, '{"schema":1e400}'),
    fc
      .record({
        schema: fc.constantFrom(SCHEMA, "1", null),
        granted: fc.oneof(fc.nat(), fc.double(), fc.constant("1")),
        failures: fc.nat(),
        forced: fc.oneof(fc.constant([]), fc.array(fc.anything())),
        published: fc.anything(),
        lease: fc.anything(),
      })
      .map((object) => JSON.stringify(object)),
  );

  test("hostile bytes are parsed as a state, as a later release's, or as none, and never throw", () => {
    fc.assert(
      fc.property(nasty, (text) => {
        const state = parseState(text);
        if (typeof state === "string") expect(["newer", "corrupt"]).toContain(state);
        else expect(() => transition(state, { kind: "orphan" }, START, TIMINGS)).not.toThrow();
      }),
      { numRuns: 5_000 },
    );
  });

  test("hostile bytes never stop a process, and are never adopted", async () => {
    await fc.assert(
      fc.asyncProperty(nasty, async (text) => {
        const rig = createRig();
        rig.store.compareAndSet(rig.store.read().version, text);
        const { coordinator, told } = rig.started();
        await rig.run(2 * MINUTE);
        expect(told.filter(({ event }) => event === "loopFailed")).toEqual([]);
        const adopted = told.filter(({ event }) => event === "pairAdopted");
        // Only ever its own.
        expect(adopted.every(({ detail }) => detail["own"] === true)).toBe(true);
        const later = parseState(text) === "newer";
        expect(coordinator.tickets.readiness().ready || later || adopted.length === 0).toBe(true);
        if (later) expect(rig.upstream.tokenCalls).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  test("a record moved to another generation, app or kind opens as nothing", () => {
    const keys = [{ id: "k", key: createSecretKey(new Uint8Array(32)) }];
    const sealer = createSealer("app", () => keys);
    const sealed = sealer.seal("plain", { generation: 7, kind: "pair" });
    expect(sealer.open(sealed, { generation: 7, kind: "pair" })).toEqual({ ok: true, plain: "plain" });
    const moved = [
      sealer.open(sealed, { generation: 8, kind: "pair" }),
      sealer.open(sealed, { generation: 7, kind: "stage" }),
      createSealer("app2", () => keys).open(sealed, { generation: 7, kind: "pair" }),
    ];
    expect(moved).toEqual(Array(3).fill({ ok: false, why: "tag" }));
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.constantFrom("A", "b", ".", "_"), (at, letter) => {
        const damaged = sealed.slice(0, at) + letter + sealed.slice(at + 1);
        const opened = sealer.open(damaged, { generation: 7, kind: "pair" });
        // The last letter of Base64 may hold bits that mean nothing.
        expect(opened.ok && opened.plain !== "plain").toBe(false);
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(sealer.open(text, { generation: 7, kind: "pair" }).ok).toBe(false);
      }),
    );
  });
});

test("an operation fails on a store that refuses every write, instead of retrying for ever", async () => {
  const rig = createRig();
  const { life } = rig.replica();
  const store = { ...rig.storeClient(life), compareAndSet: async () => false };
  const register = createSharedState(store, life.clock, TIMINGS, transition);
  const refused = expect(register.apply({ kind: "orphan" })).rejects.toThrow("refuses every write");
  await rig.run(MINUTE);
  await refused;
});
