import { join } from "node:path";
import { expect, test } from "vitest";

const CONSOLE = join(import.meta.dirname, "../../src/sandbox/console");
type Json = Record<string, unknown>;
interface Link {
  scenario?: string | undefined;
  outcome?: string | undefined;
  latencyMs?: number | undefined;
  faults: { endpoint: string; kind: string; times: number | null }[];
}
interface StepLike {
  startedAt: number;
  endedAt?: number;
  behind: StepLike[];
}
const { linkHash, readLink } = (await import(join(CONSOLE, "link.js"))) as {
  linkHash: (link: Link) => string;
  readLink: (hash: string) => Link | undefined;
};
const { launchOf, verdictOf } = (await import(join(CONSOLE, "answers.js"))) as {
  launchOf: (answered: { status: number; answer: Json }) => Json | undefined;
  verdictOf: (answered: { status: number; answer: Json }) => Json;
};
const { placeSteps } = (await import(join(CONSOLE, "waterfall.js"))) as {
  placeSteps: (steps: StepLike[]) => { depth: number; left: number; width: number; gapMs: number }[];
};

test("a link brings back what it was made of, and nothing if it holds nothing", () => {
  const link: Link = {
    scenario: "passed",
    outcome: "occluded",
    latencyMs: 300,
    faults: [
      { endpoint: "upload", kind: "status", times: 2 },
      { endpoint: "any", kind: "late", times: null },
    ],
  };
  const hash = linkHash(link);
  expect(hash).toBe("#case=passed&outcome=occluded&latency=300&fault=upload:status:2&fault=any:late:always");
  expect(readLink(hash)).toEqual(link);
  expect(readLink("#run")).toBeUndefined();
  expect(readLink("")).toBeUndefined();
});

test.each<[string, Json]>([
  ["ours", { code: "0", result: { face_id: "f", order_no: "o", sign: "s" } }],
  ["camel case at the top, a number for a code", { code: 0, faceId: "f", orderNo: "o", sign: "s" }],
  ["the SDK's names", { code: "0", result: { faceId: "f", agreementNo: "o", openApiSign: "s" } }],
])("launch parameters are read from an answer that is %s", (_what, answer) => {
  expect(launchOf({ status: 200, answer })).toMatchObject({
    face_id: "f",
    order_no: "o",
    sign: "s",
    nonce: "",
  });
  expect(launchOf({ status: 500, answer })).toBeUndefined();
});

test.each<[Json, Json]>([
  [
    { code: "0", result: { verdict: "PASSED" } },
    { verdict: "PASSED", own: true },
  ],
  [{ code: 0 }, { verdict: "PASSED", code: "0", own: false }],
  [
    { code: 7, msg: "no" },
    { verdict: undefined, code: "7", msg: "no", own: false },
  ],
  [
    { code: "0", verdict: "SURELY" },
    { verdict: "PASSED", own: false },
  ],
  [{}, { verdict: undefined, code: undefined, own: false }],
  [
    { code: 7, msg: { zh: "不" } },
    { msg: undefined, own: false },
  ],
])("the answer %j gives the verdict %j", (answer, expected) => {
  expect(verdictOf({ status: 200, answer })).toMatchObject(expected);
});

test("a waterfall keeps the calls behind a step within it, and cuts the pauses short", () => {
  const call = (startedAt: number, endedAt?: number, behind: StepLike[] = []): StepLike => ({
    startedAt,
    ...(endedAt !== undefined && { endedAt }),
    behind,
  });
  const rows = placeSteps([
    call(0, 40, [call(10, 20), call(30, 60)]),
    call(60_040, 60_060, [call(60_040)]),
    call(60_060),
  ]);
  expect(rows.map(({ depth }) => depth)).toEqual([0, 1, 1, 0, 1, 0]);
  expect(rows.map(({ gapMs }) => gapMs)).toEqual([0, 0, 0, 60_000, 0, 0]);
  for (const { left, width } of rows) {
    expect(left).toBeGreaterThanOrEqual(0);
    expect(width).toBeGreaterThan(0);
    expect(left + width).toBeLessThan(101);
  }
  const [first, inside, late, second] = rows as [
    (typeof rows)[0],
    (typeof rows)[0],
    (typeof rows)[0],
    (typeof rows)[0],
  ];
  expect(first.width / second.width).toBeCloseTo(2, 5);
  expect(inside.left).toBeCloseTo(first.left + first.width / 4, 5);
  expect(late.left + late.width).toBeCloseTo(first.left + first.width, 5);
});
