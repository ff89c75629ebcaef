import { describe, expect, test } from "vitest";
import { NextStep, Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import { CODES, codeEntry, isRefusal, launchError } from "../../src/domain/codes.ts";
import { judge } from "../../src/domain/verdict.ts";
import { ErrorReason } from "../../src/errors.ts";

const DAY = 24 * 60 * 60 * 1000;
const verdictOf = (code: string) => {
  const judged = judge(codeEntry(code), undefined);
  return "error" in judged ? undefined : judged.verdict;
};

// Every code of protocol.md 8.2, by what docs/architecture.md#verdicts makes of it.
const FAILED = "66660004 66660010 66660015 66660023 66660024 66660036 -5025 -5020".split(" ");
const INCONCLUSIVE = (
  "400604 66660005 66660016 66660017 66660018 66660022 66660025 -1404 66660033 66660035 -1102 66660038 -1101 -4014 " +
  "66660026 66660037 66660039 66660040 -4017 -4018 66660043 66660045 66660046 " +
  "66660041 66660042 66660048 66660078 -5001 -5005 -5008 -5009 -5010 -5011 -5018 -5027 " +
  "3001 3002 3003 3004 3005 300101"
).split(" ");
const NOT_COMPLETED = ["66660011"];
const ERRORS = (
  "15 400101 400102 400103 400104 400502 400504 400506 400601 66660001 66660002 66660020 66660021 66660030 " +
  "999997 999998 999999"
).split(" ");

test("the catalogue contains every code of the vendor's table exactly once", () => {
  expect([...CODES.keys()].sort()).toEqual(
    ["0", ...FAILED, ...INCONCLUSIVE, ...NOT_COMPLETED, ...ERRORS].sort(),
  );
});

describe("each code has exactly one meaning", () => {
  test("only the code 0 passes", () => {
    const passing = [...CODES.keys()].filter((code) => verdictOf(code) === Verdict.PASSED);
    expect(passing).toEqual(["0"]);
  });
  test.each(FAILED)("the code %s is a verdict against the person", (code) => {
    expect(verdictOf(code)).toBe(Verdict.FAILED);
  });
  test.each(INCONCLUSIVE)("the code %s says nothing about the person", (code) => {
    expect(verdictOf(code)).toBe(Verdict.INCONCLUSIVE);
  });
  test.each(NOT_COMPLETED)("the code %s says that there is no record", (code) => {
    expect(verdictOf(code)).toBe(Verdict.NOT_COMPLETED);
  });
  test.each([...ERRORS, "66669999", "", "00", "0.0", "abc"])("the code %s is a failed query", (code) => {
    expect(judge(codeEntry(code), undefined)).toHaveProperty("error");
  });
});

describe("codes about an unusable photo", () => {
  test.each([
    ["66660026", VerdictReason.CAPTURE_UNUSABLE, NextStep.RETRY],
    ["66660037", VerdictReason.CAPTURE_UNUSABLE, NextStep.RETRY],
    ["66660039", VerdictReason.NO_SOURCE_PHOTO, NextStep.OTHER_CHANNEL],
    ["66660040", VerdictReason.NO_SOURCE_PHOTO, NextStep.OTHER_CHANNEL],
    ["-4017", VerdictReason.NO_SOURCE_PHOTO, NextStep.OTHER_CHANNEL],
    ["-4018", VerdictReason.NO_SOURCE_PHOTO, NextStep.OTHER_CHANNEL],
  ])("the code %s is the caller's fault only if the caller supplied the photo", (code, reason, nextStep) => {
    expect(judge(codeEntry(code), undefined, true)).toEqual({ error: ErrorReason.PHOTO_REJECTED });
    const verdict = { verdict: Verdict.INCONCLUSIVE, reason, nextStep, billed: false };
    expect(judge(codeEntry(code), undefined, false)).toEqual(verdict);
    expect(judge(codeEntry(code), undefined)).toEqual(verdict);
    expect(launchError(codeEntry(code).meaning)).toBe(ErrorReason.PHOTO_REJECTED);
  });

  test("no other code depends on who supplied the photo", () => {
    const differing = [...CODES.keys()].filter(
      (code) =>
        JSON.stringify(judge(codeEntry(code), 0, true)) !== JSON.stringify(judge(codeEntry(code), 0, false)),
    );
    expect(differing.sort()).toEqual(
      ["66660026", "66660037", "66660039", "66660040", "-4017", "-4018"].sort(),
    );
  });
});

test("an unknown code fails closed", () => {
  expect(judge(codeEntry("66669999"), undefined)).toEqual({ error: ErrorReason.UPSTREAM_UNEXPECTED });
  expect(codeEntry("66669999").meaning.retryable).toBe(false);
});

test("exactly the three charged codes are billed", () => {
  const billed = [...CODES.values()].filter((entry) => entry.billed).map(({ code }) => code);
  expect(billed).toEqual(["0", "66660004", "66660010"]);
});

test("a missing record has expired when the order is older than three days", () => {
  const unfinished = { verdict: Verdict.NOT_COMPLETED, nextStep: NextStep.RETRY, billed: false };
  expect(judge(codeEntry("66660011"), 3 * DAY)).toEqual({ ...unfinished, reason: VerdictReason.NO_RECORD });
  expect(judge(codeEntry("66660011"), 3 * DAY + 1)).toEqual({ ...unfinished, reason: VerdictReason.EXPIRED });
  expect(judge(codeEntry("66660011"), undefined)).toEqual({ ...unfinished, reason: VerdictReason.NO_RECORD });
});

test("the codes that a new pair may cure are those of class AUTH", () => {
  expect([...CODES.values()].filter(isRefusal).map(({ code }) => code)).toEqual([
    "15",
    "400101",
    "400102",
    "400103",
    "400104",
  ]);
});

test("every catalogue entry has texts in both languages", () => {
  for (const { text } of CODES.values()) {
    expect(text.zh).toMatch(/\p{Script=Han}/u);
    expect(text.en).toMatch(/^[\x20-\x7e]+$/);
  }
});
