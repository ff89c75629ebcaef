import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { identityViolations, normaliseIdentity, personNumber } from "../../src/domain/identity.ts";
import { nameOnCard } from "../../src/domain/name.ts";

describe("the dot between the parts of a name is U+00B7 (民委发〔2016〕33号)", () => {
  const dots = Array.from("\u00B7\u2022\u30FB\u2027\uFF0E\uFF65.\u2024\u2219\u22C5\u0387\u2E31\u2E33\uFE52");
  test.each(dots.map((dot) => [`U+${dot.charCodeAt(0).toString(16).padStart(4, "0")}`, dot]))(
    "%s",
    (_code, dot) => {
      expect(nameOnCard(`买买提${dot}艾力`)).toBe("买买提\u00B7艾力");
      expect(nameOnCard(`买买提 ${dot}\u3000艾力`)).toBe("买买提\u00B7艾力");
      expect(nameOnCard(`阿布都${dot}买买提${dot}艾力`)).toBe("阿布都\u00B7买买提\u00B7艾力");
    },
  );

  test.each([
    "J. Smith",
    "J.R. Smith",
    "Smith.",
    ".张三",
    "张三.",
    "张.A",
    "A•B",
    "买买提..艾力",
    "张-三",
    "张。三",
  ])("the name %j is left unchanged", (name) => expect(nameOnCard(name)).toBe(name));
});

test.each([
  ["radicals of PDF files, Kangxi", "\u2F3F\u2F00\u2F25", "手一女"],
  ["radicals of the supplement, which NFKC leaves", "\u2EA0\u2ED3\u2EE2", "民长马"],
  ["compatibility ideographs", "\uF900\uF9D1\u{2F800}", "豈六丽"],
  ["ideographs of that block which are unified", "\uFA0E\uFA11", "\uFA0E\uFA11"],
  ["a variant of a glyph", "葛\u{E0100}城\uFE00", "葛城"],
  ["full-width letters and ligatures", "Ａｎｎａ\u3000Ｓｔｅ\uFB01", "Anna\u3000Stefi"],
  ["an ideographic space", "张\u3000三", "张三"],
  ["blanks within Han characters", "欧阳 \u00A0娜娜", "欧阳娜娜"],
  ["blanks within other names", "Anna Maria Stefi", "Anna Maria Stefi"],
  ["a blank between Han and other characters", "张 San", "张 San"],
  ["combining marks", "Zoe\u0308", "Zoë"],
  ["rare characters", "\u{20BB7}田", "\u{20BB7}田"],
  ["zero", "张〇", "张〇"],
])("a name in its form on the ID card: %s", (_what, typed, card) => {
  expect(nameOnCard(typed)).toBe(card);
});

const INVISIBLE = [
  "\u200B",
  "\u202A",
  "\u202B",
  "\u202C",
  "\u202D",
  "\u202E",
  "\uFEFF",
  "\u200E",
  "\u2060",
  "\u2069",
];

test.each(INVISIBLE.map((sign) => [`U+${sign.charCodeAt(0).toString(16)}`, sign]))(
  "the invisible character %s is trimmed from a name's ends and refused within it",
  (_code, sign) => {
    expect(nameOnCard(`${sign} 张三\u3000${sign}${sign}`)).toBe("张三");
    const within = normaliseIdentity({ name: `张${sign}三`, idNo: "11010519491231002X" });
    expect(identityViolations(within).map(({ rule }) => rule)).toEqual(["name.control"]);
  },
);

test("a name with replacement characters of invalid UTF-8 is refused", () => {
  const identity = normaliseIdentity({ name: "\uFFFD\uFFFD\uFFFD三", idNo: "11010519491231002X" });
  expect(identityViolations(identity)).toEqual([{ field: "name", rule: "name.replacement" }]);
});

test("normalising a name is idempotent", () => {
  const signs = Array.from(
    "张三买.·•\u30FB\uFF0E \u3000\u200B\uFEFF\u2F3F\u2EA0\uF900\uFE00\u{E0100}Ａa\u0301\u0308ﬁ",
  );
  const name = fc.string({ unit: fc.constantFrom(...signs), maxLength: 12 });
  fc.assert(
    fc.property(fc.oneof(name, fc.string({ unit: "binary", maxLength: 12 })), (typed) => {
      const card = nameOnCard(typed);
      expect(nameOnCard(card)).toBe(card);
    }),
    { numRuns: 2_000 },
  );
  const han = fc.string({
    unit: fc.integer({ min: 0x4e00, max: 0x9fff }).map((at) => String.fromCodePoint(at)),
  });
  fc.assert(fc.property(han, (typed) => nameOnCard(typed) === typed));
});

test("a name of the maximum request size is normalised in linear time", () => {
  const long = 500_000;
  const names = [" ", "\u3000", "\u200B", "张 ", "买.", "\u2F25", "ﬁ", "\uFE00", "a\u0301"].flatMap(
    (part) => [`a${part.repeat(long)}a`, `张${part.repeat(long)}三`, part.repeat(long)],
  );
  const began = performance.now();
  for (const name of names) nameOnCard(name);
  // Going over each run from each of its places would take minutes for each name.
  expect(performance.now() - began).toBeLessThan(20_000);
});

test("names are sent as typed if so configured", () => {
  const name = " 买买提.艾力\u3000";
  expect(normaliseIdentity({ name, idNo: "h01234567" }, "typed")).toEqual({ name, idNo: "H01234567" });
});

test.each([
  ["h01234567", "H01234567"],
  ["usa110019900101", "USA110019900101"],
  ["１１０１０５１９４９１２３１００２ｘ", "11010519491231002X"],
  ["\u200B11010519491231002x\uFEFF ", "11010519491231002X"],
  // Letters that have capitals in ASCII are no digits, and stay to be refused.
  ["1101051949123100ﬁ", "1101051949123100FI"],
  ["h0123456ı", "H0123456ı"],
  ["110105491231002", "110105491231002"],
])("the ID number %s is sent as %s", (typed, sent) => {
  expect(normaliseIdentity({ name: "张三", idNo: typed }).idNo).toBe(sent);
});

test.each([
  ["110105491231002", "11010519491231002X"],
  ["11010519491231002X", "11010519491231002X"],
  ["110105490231002", "110105490231002"],
  ["H01234567", "H01234567"],
])("the ID number %s identifies the person with number %s", (idNo, person) => {
  expect(personNumber(idNo)).toBe(person);
});
