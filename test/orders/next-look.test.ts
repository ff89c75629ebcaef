import { describe, expect, test } from "vitest";
import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import { codeEntry } from "../../src/domain/codes.ts";
import { judge } from "../../src/domain/verdict.ts";
import { FIRST_LOOK_MS, type LookAnswer, type NextLook, nextLook } from "../../src/orders/next-look.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const LAUNCH = 1_767_225_600_000;

const judgedAs = (code: string): LookAnswer => {
  const judgement = judge(codeEntry(code), undefined);
  if ("error" in judgement) throw new Error(code);
  return { kind: "judged", judgement, evidence: { code, bizSeqNo: "1" } };
};
const NO_RECORD: LookAnswer = { kind: "no_record", evidence: { code: "66660011", bizSeqNo: "2" } };
const FAILED: LookAnswer = { kind: "failed", code: "" };

interface Seen {
  /** Age by the order's own `createdAt`, milliseconds. */
  ageMs: number;
  attempts?: number;
  /** Age at which it was marked. */
  quietMs?: number;
}

/** One decision, in ages: when to look again, the mark, or the state it ends in. */
function decide({ ageMs, attempts = 12, quietMs }: Seen, answer: LookAnswer) {
  const quietSince = quietMs === undefined ? undefined : LAUNCH + quietMs;
  const next = nextLook({ createdAt: LAUNCH, attempts, quietSince }, answer, LAUNCH + ageMs);
  if (next.end) return { state: next.end.state };
  return {
    inMs: next.dueAt - LAUNCH - ageMs,
    ...(next.quietSince !== undefined && { quietMs: next.quietSince - LAUNCH }),
  };
}

/** All looks of one order, each exactly when it is due: its ages in seconds, and its end. */
function looks(answerAt: (ageMs: number) => LookAnswer, clockOffMs: (ageMs: number) => number = () => 0) {
  const ages: number[] = [];
  let quietSince: number | undefined;
  let ageMs = FIRST_LOOK_MS;
  for (;;) {
    ages.push(ageMs / SECOND);
    const now = LAUNCH + ageMs + clockOffMs(ageMs);
    const order = { createdAt: LAUNCH, attempts: ages.length, quietSince };
    const next: NextLook = nextLook(order, answerAt(ageMs), now);
    if (next.end) return { ages, ageMs, state: next.end.state };
    quietSince = next.quietSince ?? quietSince;
    ageMs += next.dueAt - now;
  }
}

describe("a verdict ends an order", () => {
  test.each(["0", "66660004", "66660005", "66660010", "66660042"])("code %s, at any age", (code) => {
    const answer = judgedAs(code);
    for (const ageMs of [20 * SECOND, 10 * MINUTE, 100 * HOUR]) {
      const order = { createdAt: LAUNCH, attempts: 1, quietSince: undefined };
      expect(nextLook(order, answer, LAUNCH + ageMs)).toEqual({
        end: {
          state: OrderState.COMPLETED,
          endedAt: LAUNCH + ageMs,
          judgement: answer.kind === "judged" && answer.judgement,
          evidence: { code, bizSeqNo: "1" },
        },
      });
    }
  });
});

describe("no record", () => {
  test("an order that never gets one is looked at by this schedule, and expires half an hour after its launch", () => {
    expect(looks(() => NO_RECORD)).toEqual({
      // While a capture may be under way, then less and less.
      ages: [20, 60, 100, 140, 180, 220, 260, 300, 340, 380, 560, 830, 1_235, 1_842.5],
      ageMs: 1_842.5 * SECOND,
      state: OrderState.EXPIRED,
    });
  });

  test.each<[string, Seen, ReturnType<typeof decide>]>([
    [
      "is not final while a capture may be under way",
      { ageMs: 6 * MINUTE - 1, attempts: 9 },
      { inMs: 40_000 },
    ],
    ["is not final then by any number of looks", { ageMs: 0, attempts: 500 }, { inMs: 40_000 }],
    [
      "is not final then, whatever was marked before by a clock that was wrong",
      { ageMs: 5 * MINUTE, attempts: 9, quietMs: -HOUR },
      { inMs: 40_000 },
    ],
    [
      "marks the order once none can be under way any more",
      { ageMs: 6 * MINUTE, attempts: 9 },
      { inMs: 3 * MINUTE, quietMs: 6 * MINUTE },
    ],
    [
      "is looked at less and less",
      { ageMs: 20 * MINUTE, attempts: 12, quietMs: 15 * MINUTE },
      { inMs: 405_000 },
    ],
    [
      "is looked at every half hour at least",
      { ageMs: 20 * MINUTE, attempts: 60 },
      { inMs: 30 * MINUTE, quietMs: 20 * MINUTE },
    ],
    [
      "expires by a second answer ten minutes later",
      { ageMs: 40 * MINUTE, quietMs: 30 * MINUTE },
      { state: OrderState.EXPIRED },
    ],
    ["does not sooner", { ageMs: 40 * MINUTE - 1, quietMs: 30 * MINUTE }, { inMs: 405_000 }],
    [
      "does not before it is half an hour old",
      { ageMs: 30 * MINUTE - 1, quietMs: 10 * MINUTE },
      { inMs: 405_000 },
    ],
    ["does from then on", { ageMs: 30 * MINUTE, quietMs: 10 * MINUTE }, { state: OrderState.EXPIRED }],
    [
      "expires if it was first asked for in time",
      { ageMs: 90 * HOUR, quietMs: 24 * HOUR },
      { state: OrderState.EXPIRED },
    ],
    [
      "is unknown if the vendor may have erased it before it was first asked",
      { ageMs: 90 * HOUR, quietMs: 24 * HOUR + 1 },
      { state: OrderState.UNKNOWN },
    ],
    [
      "marks again where the mark lies in the future",
      { ageMs: 20 * MINUTE, quietMs: 20 * MINUTE + 1 },
      { inMs: 405_000, quietMs: 20 * MINUTE },
    ],
    [
      "does not end by fewer than five looks",
      { ageMs: 40 * MINUTE, quietMs: 10 * MINUTE, attempts: 4 },
      { inMs: 3 * MINUTE },
    ],
    [
      "ends by the fifth",
      { ageMs: 40 * MINUTE, quietMs: 10 * MINUTE, attempts: 5 },
      { state: OrderState.EXPIRED },
    ],
    ["takes a mark of this instant as one", { ageMs: 20 * MINUTE, quietMs: 20 * MINUTE }, { inMs: 405_000 }],
  ])("%s", (_what, seen, expected) => {
    expect(decide(seen, NO_RECORD)).toEqual(expected);
  });

  test("the end carries the vendor's answer and no judgement", () => {
    const order = { createdAt: LAUNCH, attempts: 14, quietSince: LAUNCH + 10 * MINUTE };
    expect(nextLook(order, NO_RECORD, LAUNCH + HOUR)).toEqual({
      end: {
        state: OrderState.EXPIRED,
        endedAt: LAUNCH + HOUR,
        judgement: undefined,
        evidence: { code: "66660011", bizSeqNo: "2" },
      },
    });
  });
});

describe("a failed look", () => {
  test("a vendor that is away for good is asked for three days and an hour, and the order is unknown", () => {
    const { ages, ageMs, state } = looks(() => FAILED);
    expect(state).toBe(OrderState.UNKNOWN);
    expect(ageMs).toBeGreaterThan(73 * HOUR);
    expect(ageMs).toBeLessThan(74 * HOUR);
    expect(ages.length).toBeLessThan(170);
  });

  test.each<[string, Seen, LookAnswer, ReturnType<typeof decide>]>([
    [
      "is repeated soon while a capture may be under way",
      { ageMs: MINUTE, attempts: 2 },
      FAILED,
      { inMs: 40_000 },
    ],
    ["is repeated less and less later", { ageMs: HOUR, attempts: 13 }, FAILED, { inMs: 607_500 }],
    ["leaves the mark alone", { ageMs: HOUR, quietMs: 10 * MINUTE }, FAILED, { inMs: 405_000 }],
    [
      "waits as long as it is asked to",
      { ageMs: MINUTE, attempts: 2 },
      { ...FAILED, retryAfterMs: 90_000 },
      { inMs: 90_000 },
    ],
    [
      "waits no less than the schedule says",
      { ageMs: MINUTE, attempts: 2 },
      { ...FAILED, retryAfterMs: 2_000 },
      { inMs: 40_000 },
    ],
    [
      "waits half an hour at most",
      { ageMs: MINUTE, attempts: 2 },
      { ...FAILED, retryAfterMs: 10 * HOUR },
      { inMs: 30 * MINUTE },
    ],
    ["says nothing for three days", { ageMs: 72 * HOUR, quietMs: 10 * MINUTE }, FAILED, { inMs: 405_000 }],
    [
      "marks the order after that",
      { ageMs: 72 * HOUR + 1 },
      FAILED,
      { inMs: 405_000, quietMs: 72 * HOUR + 1 },
    ],
    [
      "marks it, whatever was marked before",
      { ageMs: 80 * HOUR, quietMs: 72 * HOUR },
      FAILED,
      { inMs: 405_000, quietMs: 80 * HOUR },
    ],
    [
      "gives it up an hour later",
      { ageMs: 74 * HOUR, quietMs: 73 * HOUR },
      { kind: "failed", code: "66660030" },
      { state: OrderState.UNKNOWN },
    ],
    [
      "does not by fewer than five looks",
      { ageMs: 75 * HOUR, quietMs: 73 * HOUR, attempts: 4 },
      FAILED,
      { inMs: 3 * MINUTE },
    ],
    ["does not sooner", { ageMs: 74 * HOUR - 1, quietMs: 73 * HOUR }, FAILED, { inMs: 405_000 }],
    [
      "does not by a mark that lies in the future",
      { ageMs: 80 * HOUR, quietMs: 90 * HOUR },
      FAILED,
      { inMs: 405_000, quietMs: 80 * HOUR },
    ],
  ])("%s", (_what, seen, answer, expected) => {
    expect(decide(seen, answer)).toEqual(expected);
  });

  test("an order given up carries the vendor's last code", () => {
    const order = { createdAt: LAUNCH, attempts: 150, quietSince: LAUNCH + 73 * HOUR };
    expect(nextLook(order, { kind: "failed", code: "66660030" }, LAUNCH + 75 * HOUR)).toEqual({
      end: {
        state: OrderState.UNKNOWN,
        endedAt: LAUNCH + 75 * HOUR,
        judgement: undefined,
        evidence: { code: "66660030" },
      },
    });
  });

  test("a vendor that is away for hours and then has no record: the order expires by two answers", () => {
    const { ageMs, state } = looks((at) => (at < 8 * HOUR ? FAILED : NO_RECORD));
    expect(state).toBe(OrderState.EXPIRED);
    expect(ageMs).toBeGreaterThan(8 * HOUR + 10 * MINUTE);
    expect(ageMs).toBeLessThan(9 * HOUR + 31 * MINUTE);
  });

  test("a vendor that is away for two days and then has no record: the order is unknown", () => {
    expect(looks((at) => (at < 48 * HOUR ? FAILED : NO_RECORD)).state).toBe(OrderState.UNKNOWN);
  });
});

describe("a wall clock that jumps", () => {
  /** A capture that ends `endsMs` after the launch. */
  const verdictFrom = (endsMs: number) => (ageMs: number) => (ageMs < endsMs ? NO_RECORD : judgedAs("0"));

  // By days, for any one look or for all from it on: a capture of five minutes still ends in its verdict.
  test.each(
    [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap(
      (look) =>
        [
          [look, "that one look", HOUR],
          [look, "that one look", 100 * HOUR],
          [look, "all looks from it on", 100 * HOUR],
        ] as [number, string, number][],
    ),
  )("ahead at look %i, for %s, by %i ms", (look, how, byMs) => {
    let count = 0;
    const off = () => {
      count += 1;
      return count === look || (count > look && how !== "that one look") ? byMs : 0;
    };
    expect(looks(verdictFrom(350 * SECOND), off).state).toBe(OrderState.COMPLETED);
  });

  test("further ahead at every one of four looks: a capture still ends in its verdict", () => {
    const aheadDays = [1, 3, 5, 7];
    const off = () => (aheadDays.shift() ?? 0) * 24 * HOUR;
    expect(looks(verdictFrom(150 * SECOND), off).state).toBe(OrderState.COMPLETED);
  });

  test("ahead by days in one look while the vendor is away gives no order up", () => {
    let count = 0;
    const off = () => (++count === 15 ? 100 * HOUR : 0);
    const verdictLate = (ageMs: number) => (ageMs < 10 * HOUR ? FAILED : judgedAs("0"));
    expect(looks(verdictLate, off).state).toBe(OrderState.COMPLETED);
    count = 0;
    const offTwice = () => ([15, 16].includes(++count) ? 100 * HOUR + count * MINUTE : 0);
    expect(looks(verdictLate, offTwice).state).toBe(OrderState.COMPLETED);
  });

  test("an order dated ahead by days is looked at as often as any other, and expires", () => {
    const { ages, state } = looks(
      () => NO_RECORD,
      () => -100 * HOUR,
    );
    expect(state).toBe(OrderState.EXPIRED);
    expect(ages.length).toBeLessThan(25);
    expect(ages.at(-1)).toBeGreaterThan(30 * 60);
  });

  test.each<[string, Seen, ReturnType<typeof decide>]>([
    ["may be young", { ageMs: -HOUR, attempts: 18 }, { inMs: 40_000 }],
    ["is not after as many looks", { ageMs: -HOUR, attempts: 19 }, { inMs: 1_800_000, quietMs: -HOUR }],
    [
      "is older by its number of looks",
      { ageMs: -1, attempts: 19, quietMs: -5 * MINUTE },
      { inMs: 1_800_000 },
    ],
    [
      "expires by two answers",
      { ageMs: -1, attempts: 21, quietMs: -20 * MINUTE },
      { state: OrderState.EXPIRED },
    ],
  ])("an order from the future %s", (_what, seen, expected) => {
    expect(decide(seen, NO_RECORD)).toEqual(expected);
  });
});
