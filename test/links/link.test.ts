import { describe, expect, test } from "vitest";
import { VerificationLinkState as State } from "../../gen/faceverification/v1/link_pb.ts";
import { codeEntry } from "../../src/domain/codes.ts";
import { judge } from "../../src/domain/verdict.ts";
import {
  isOver,
  judgementOf,
  type Link,
  type LinkAttempt,
  pendingOf,
  planStart,
  stateOf,
  withAttempt,
  withOutcome,
  withRelaunch,
  withReturn,
  withRevocation,
} from "../../src/links/link.ts";

const T0 = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

const fresh: Link = {
  id: "l".repeat(22),
  userId: "user",
  person: "person",
  reference: "",
  returnUrl: "",
  createdAt: T0,
  expiresAt: T0 + 30 * MINUTE,
  maxAttempts: 3,
  attempts: [],
};

/** What the vendor says with a code. */
function said(code: string): NonNullable<LinkAttempt["outcome"]> {
  const judgement = judge(codeEntry(code), undefined);
  if ("error" in judgement) throw new Error(`${code} is no verdict`);
  return { judgement, code };
}
const NO_RECORD = "66660011";

/** A step in the life of a link: minutes since it was made, and what happens. */
type Step = [minute: number, what: "start" | "again" | "revoke" | `back ${string}` | `says ${string}`];

/** Applies the steps, each to the last attempt; one that changes nothing leaves the link as it is. */
function live(steps: readonly Step[], link = fresh): Link {
  return steps.reduce((current, [minute, what]) => {
    const now = T0 + minute * MINUTE;
    const orderNo = current.attempts.at(-1)?.orderNo ?? "";
    const [verb, code = "", mark] = what.split(" ");
    const next = {
      start: () =>
        withAttempt(
          current,
          { orderNo: `order${current.attempts.length + 1}`, faceId: "f", startedAt: now },
          now,
        ),
      again: () => withRelaunch(current, orderNo, now),
      revoke: () => withRevocation(current, now),
      back: () => withReturn(current, orderNo, { code, signed: mark === "signed" }, now),
      says: () => withOutcome(current, orderNo, said(code), now),
    }[verb as "start"]();
    return next ?? current;
  }, link);
}

describe("the state of a link", () => {
  const rows: [what: string, steps: Step[], minute: number, state: number][] = [
    ["waits for the button", [], 0, State.WAITING],
    ["still waits a moment before its end", [], 29.99, State.WAITING],
    ["has expired at its end", [], 30, State.EXPIRED],
    ["has an attempt under way", [[1, "start"]], 2, State.STARTED],
    ["waits again when the attempt was abandoned", [[1, "start"]], 12, State.WAITING],
    [
      "is returned until the vendor has answered",
      [
        [1, "start"],
        [2, "back 0 signed"],
      ],
      3,
      State.RETURNED,
    ],
    [
      "is completed by a pass",
      [
        [1, "start"],
        [2, "back 0 signed"],
        [2, "says 0"],
      ],
      3,
      State.COMPLETED,
    ],
    [
      "is completed by a pass without a return",
      [
        [1, "start"],
        [2, "says 0"],
      ],
      3,
      State.COMPLETED,
    ],
    [
      "is completed by another person's face",
      [
        [1, "start"],
        [2, "says 66660004"],
      ],
      3,
      State.COMPLETED,
    ],
    [
      "is completed by a wrong ID number",
      [
        [1, "start"],
        [2, "says 66660010"],
      ],
      3,
      State.COMPLETED,
    ],
    [
      "is completed when today's attempts are used up",
      [
        [1, "start"],
        [2, "says 66660017"],
      ],
      3,
      State.COMPLETED,
    ],
    [
      "waits again after a blurred capture",
      [
        [1, "start"],
        [2, "says 66660042"],
      ],
      3,
      State.WAITING,
    ],
    [
      "waits again after an attack on liveness",
      [
        [1, "start"],
        [2, "says 66660023"],
      ],
      3,
      State.WAITING,
    ],
    [
      "waits again after an interruption",
      [
        [1, "start"],
        [2, "back 3003"],
        [2, `says ${NO_RECORD}`],
      ],
      3,
      State.WAITING,
    ],
    [
      "goes on while the person may still be before the camera",
      [
        [1, "start"],
        [2, `says ${NO_RECORD}`],
      ],
      3,
      State.STARTED,
    ],
    ["is revoked", [[1, "revoke"]], 2, State.REVOKED],
    [
      "is revoked while an attempt is under way",
      [
        [1, "start"],
        [2, "revoke"],
      ],
      3,
      State.REVOKED,
    ],
    [
      "stays completed when it is revoked",
      [
        [1, "start"],
        [2, "says 0"],
        [3, "revoke"],
      ],
      4,
      State.COMPLETED,
    ],
    [
      "stays revoked when the person passes after all",
      [
        [1, "start"],
        [2, "revoke"],
        [3, "says 0"],
      ],
      4,
      State.REVOKED,
    ],
    ["stays under way past its end", [[29, "start"]], 31, State.STARTED],
    [
      "is completed by an attempt begun in time",
      [
        [29, "start"],
        [33, "says 0"],
      ],
      40,
      State.COMPLETED,
    ],
    [
      "has no other attempt after its end",
      [
        [29, "start"],
        [33, "back 3004"],
        [33, `says ${NO_RECORD}`],
      ],
      34,
      State.EXPIRED,
    ],
  ];
  test.each(rows)("a link %s", (_what, steps, minute, state) => {
    expect(stateOf(live(steps), T0 + minute * MINUTE)).toBe(state);
  });
});

describe("attempts", () => {
  const failed = (minute: number): Step[] => [
    [minute, "start"],
    [minute + 1, "back 3004"],
    [minute + 1, `says ${NO_RECORD}`],
  ];

  test("a link whose attempts are used up without a verdict has expired, and starts nothing", () => {
    const link = live([...failed(0), ...failed(2), ...failed(4)]);
    expect(link.attempts).toHaveLength(3);
    expect(stateOf(link, T0 + 6 * MINUTE)).toBe(State.EXPIRED);
    expect(planStart(link, T0 + 6 * MINUTE)).toEqual({ kind: "closed" });
    expect(live([[7, "start"]], link)).toBe(link);
  });

  test("a verdict that could be tried again is final for the last attempt", () => {
    const link = live([...failed(0), ...failed(2), [4, "start"], [5, "says 66660042"]]);
    expect(stateOf(link, T0 + 6 * MINUTE)).toBe(State.COMPLETED);
    expect(judgementOf(link)).toEqual(said("66660042").judgement);
  });

  test("the first final verdict stands, whatever comes of another attempt", () => {
    const open = live([
      [0, "start"],
      [5, "start"],
      [6, "says 66660004"],
    ]);
    const late = withOutcome(open, "order1", said("0"), T0 + 7 * MINUTE);
    expect(late?.attempts[0]?.outcome?.code).toBe("0");
    expect(late && judgementOf(late)).toEqual(said("66660004").judgement);
  });

  test("a verdict never changes, and no record never replaces one", () => {
    const passed = live([
      [0, "start"],
      [1, "says 0"],
    ]);
    for (const code of ["66660004", NO_RECORD, "0"]) {
      expect(withOutcome(passed, "order1", said(code), T0 + 2 * MINUTE)).toBeUndefined();
    }
  });

  test("a verdict replaces no record: a return may have been forged before the capture ended", () => {
    const forged = live([
      [0, "start"],
      [1, "back 0"],
      [1, `says ${NO_RECORD}`],
    ]);
    expect(pendingOf(forged, T0 + 2 * MINUTE)).toHaveLength(1);
    expect(
      stateOf(
        live(
          [
            [2, "back 0 signed"],
            [2, "says 0"],
          ],
          forged,
        ),
        T0 + 3 * MINUTE,
      ),
    ).toBe(State.COMPLETED);
  });

  test("the identity is needed until a verdict ends the link, or a revocation", () => {
    expect(isOver(fresh)).toBe(false);
    expect(
      isOver(
        live([
          [0, "start"],
          [1, "says 66660042"],
        ]),
      ),
    ).toBe(false);
    expect(
      isOver(
        live([
          [0, "start"],
          [1, "says 0"],
        ]),
      ),
    ).toBe(true);
    expect(isOver(live([[0, "revoke"]]))).toBe(true);
  });
});

describe("a press of the button", () => {
  const plan = (steps: Step[], minute: number) => planStart(live(steps), T0 + minute * MINUTE);

  test.each([
    ["starts an attempt", [], 1, "attempt"],
    ["goes on with an order that the person went back from", [[1, "start"]], 5.4, "relaunch"],
    ["starts another when the faceId is older than four and a half minutes", [[1, "start"]], 5.6, "attempt"],
    [
      "starts another once the person has been back",
      [
        [1, "start"],
        [2, "back 3003"],
      ],
      3,
      "attempt",
    ],
    [
      "starts nothing after a pass",
      [
        [1, "start"],
        [2, "says 0"],
      ],
      3,
      "closed",
    ],
    ["starts nothing after a revocation", [[1, "revoke"]], 3, "closed"],
    ["starts nothing at the end of the link", [], 30, "closed"],
  ] satisfies [string, Step[], number, string][])("%s", (_what, steps, minute, kind) => {
    expect(plan(steps, minute).kind).toBe(kind);
  });

  test("the vendor is asked first about every attempt that may have a verdict", () => {
    const asked = (steps: Step[], minute: number) =>
      pendingOf(live(steps), T0 + minute * MINUTE).map(({ orderNo }) => orderNo);
    expect(asked([[1, "start"]], 2)).toEqual(["order1"]);
    expect(
      asked(
        [
          [1, "start"],
          [7, "start"],
        ],
        12,
      ),
    ).toEqual(["order1", "order2"]);
    expect(
      asked(
        [
          [1, "start"],
          [2, "says 66660042"],
        ],
        3,
      ),
    ).toEqual([]);
    expect(
      asked(
        [
          [1, "start"],
          [2, "back 3004"],
          [2, `says ${NO_RECORD}`],
        ],
        15,
      ),
    ).toEqual([]);
  });

  test("one upload is launched five times at most", () => {
    const link = live([
      [1, "start"],
      [1.1, "again"],
      [1.2, "again"],
      [1.3, "again"],
      [1.4, "again"],
      [1.5, "again"],
    ]);
    expect(link.attempts[0]?.launches).toBe(5);
    expect(planStart(link, T0 + 1.6 * MINUTE).kind).toBe("attempt");
  });
});

describe("a return", () => {
  const back = (first: string | undefined, second: string) => {
    const link = live([[0, "start"], ...(first === undefined ? [] : ([[1, `back ${first}`]] as Step[]))]);
    const [code = "", mark] = second.split(" ");
    return withReturn(link, "order1", { code, signed: mark === "signed" }, T0 + 2 * MINUTE) !== undefined;
  };

  test.each([
    [undefined, "0 signed", true],
    [undefined, "0", false],
    [undefined, "", true],
    ["0 signed", "0 signed", false],
    ["0 signed", "3004", false],
    ["3004", "3004", false],
    ["3004", "3003", false],
    ["3004", "0", false],
    ["3004", "0 signed", true],
    ["3004", "66660004 signed", true],
    ["66660004", "0", false],
  ])("after %s, %s is news: %s", (first, second, news) => {
    expect(back(first, second)).toBe(news);
  });

  test("a return for an order of another link, or after the verdict, is no news", () => {
    const link = live([
      [0, "start"],
      [1, "says 0"],
    ]);
    expect(withReturn(link, "order1", { code: "3004", signed: true }, T0)).toBeUndefined();
    expect(withReturn(link, "another", { code: "0", signed: true }, T0)).toBeUndefined();
  });

  test("no code is a verdict", () => {
    for (const code of ["0 signed", "66660004", "66660004 signed"]) {
      const link = live([
        [0, "start"],
        [1, `back ${code}`],
      ]);
      expect(judgementOf(link)).toBeUndefined();
      expect(stateOf(link, T0 + 2 * MINUTE)).toBe(State.RETURNED);
    }
  });
});
