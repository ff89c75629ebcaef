import { expect, test } from "vitest";
import { startHarness } from "../support/harness.ts";

const TYPED: [typed: string, card: string][] = [
  ["买买提•艾力", "买买提·艾力"],
  ["买买提\u30FB艾力", "买买提·艾力"],
  ["买买提.艾力", "买买提·艾力"],
  ["张\u3000三", "张三"],
  ["\u200B张三\uFEFF", "张三"],
  ["\u2FAE\u2F25", "非女"],
  ["J. Smith", "J. Smith"],
];

test("every door sends the name as on the card, and the original nowhere", async () => {
  await using harness = await startHarness();
  for (const [i, [typed, card]] of TYPED.entries()) {
    const idNo = i % 2 === 0 ? "11010519491231002x" : "h01234567";
    const form = await harness.form("/get_face_params", { name: typed, id_no: idNo, user_id: `form${i}` });
    const json = await harness.json("GetFaceParams", { name: typed, idNo, userId: `json${i}` });
    expect([form.status, json.status]).toEqual([200, 200]);
    const sent = harness.wire.of("upload").slice(-2);
    expect(sent.map(({ body }) => [body["name"], body["idNo"]])).toEqual(
      Array(2).fill([card, idNo.toUpperCase()]),
    );
  }
  expect(harness.sandbox.breaches).toEqual([]);
});

test("FACEID_NAMES=typed sends names as typed", async () => {
  await using harness = await startHarness({ env: { FACEID_NAMES: "typed" }, sandbox: { strict: false } });
  for (const [i, [typed]] of TYPED.filter(([name]) => !/[\u200B\uFEFF]/.test(name)).entries()) {
    await harness.form("/get_face_params", { name: typed, id_no: "11010519491231002X", user_id: `u${i}` });
    expect(harness.wire.of("upload").at(-1)?.body["name"]).toBe(typed);
  }
  const invisible = { name: "\u200B张三", id_no: "11010519491231002X" };
  expect((await harness.form("/get_face_params", invisible)).body.fields).toEqual([
    { field: "name", rule: "name.control" },
  ]);
});

test("an old 15-digit number counts for the same person and is sent as typed", async () => {
  await using harness = await startHarness({ env: { LIMIT_PER_PERSON: "1/h" } });
  const old = await harness.form("/get_face_params", {
    name: "张三",
    id_no: "110105491231002",
    user_id: "a",
  });
  expect(old.status).toBe(200);
  expect(harness.wire.of("upload").at(-1)?.body["idNo"]).toBe("110105491231002");
  const now = await harness.form("/get_face_params", {
    name: "张三",
    id_no: "11010519491231002X",
    user_id: "b",
  });
  expect([now.status, now.body.reason]).toEqual([429, "RATE_LIMITED"]);
  const other = await harness.form("/get_face_params", {
    name: "张三",
    id_no: "110105491231003",
    user_id: "c",
  });
  expect(other.status).toBe(200);
});
