import { describe, expect, test } from "vitest";
import { identityViolations, normaliseIdentity } from "../../src/domain/identity.ts";

const rulesOf = (idNo: string, name = "张三") => identityViolations({ name, idNo }).map(({ rule }) => rule);

describe("ID numbers (GB 11643-1999)", () => {
  test.each(["11010519491231002X", "440308199901101512", "810000199408230021", "830000199201300022"])(
    "the ID number %s is accepted",
    (idNo) => expect(rulesOf(idNo)).toEqual([]),
  );

  test.each([
    ["110105194912310021", "id_no.check_digit"],
    ["110105194902310020", "id_no.birth_date"],
    ["110105190002290021", "id_no.birth_date"],
    ["11204416541220243X", "id_no.check_digit"],
    ["1101051949123100AX", "id_no.characters"],
    ["11010519491231002x", "id_no.characters"],
  ])("the ID number %s breaks the rule %s", (idNo, rule) => expect(rulesOf(idNo)).toEqual([rule]));

  test("ID numbers of other lengths are left to the vendor, the demo's sample included", () => {
    expect(rulesOf("4311120022232323")).toEqual([]);
    expect(rulesOf("4300000000000")).toEqual([]);
    expect(rulesOf("H12345678")).toEqual([]);
  });
});

test("names may contain a middle dot and rare characters, but no control characters", () => {
  expect(rulesOf("11010519491231002X", "买买提·艾力")).toEqual([]);
  expect(rulesOf("11010519491231002X", "\u{20BB7}田")).toEqual([]);
  expect(rulesOf("11010519491231002X", "张\u0000三")).toEqual(["name.control"]);
  expect(rulesOf("11010519491231002X", "张\u200B三")).toEqual(["name.control"]);
});

test("normalising trims and composes names and capitalises ID numbers", () => {
  expect(normaliseIdentity({ name: "  Zoe\u0308 ", idNo: " 11010519491231002x " })).toEqual({
    name: "Zoë",
    idNo: "11010519491231002X",
  });
  expect(normaliseIdentity({ name: "张三", idNo: "abcdx" }).idNo).toBe("ABCDX");
});
