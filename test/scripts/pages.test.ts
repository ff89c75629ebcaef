import { expect, test } from "vitest";
import { printIn, printTranslated } from "../../scripts/pages.ts";

const PATH = "scripts/chinese/page.json";

test("a page in Chinese has every text from the table", () => {
  const chinese = { yes: "是", no: "否" };
  expect(printTranslated(PATH, chinese, (say) => `${say("yes")}/${say("no")}/${say("yes")}`)).toBe(
    "是/否/是",
  );
});

test("a page in English needs no table", () => {
  expect(printIn("en", "no-such-page", (say) => say("yes"))).toBe("yes");
});

test("texts without a translation, or with an empty one, are listed in the form of the table", () => {
  expect(() =>
    printTranslated(PATH, { yes: "是", no: "" }, (say) => say("yes") + say("no") + say('a "word"')),
  ).toThrow(new Error(`${PATH} has no translation of these texts; add:\n  "no": "",\n  "a \\"word\\"": "",`));
});

test("translations of texts that are no longer printed are listed", () => {
  expect(() => printTranslated(PATH, { yes: "是", no: "否" }, (say) => say("yes"))).toThrow(
    new Error(`${PATH} translates texts that are no longer printed; remove:\n  "no": "否",`),
  );
});
